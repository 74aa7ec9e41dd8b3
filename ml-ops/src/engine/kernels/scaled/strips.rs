//! Many vectors: 16 rows of weights at a time by 16 or 32 vectors, whose numbers stand side by side in lanes.
//!
//! A *chunk* is two blocks of 16 rows. Its dot products come from the matrix unit, or from `vpdpbusd`; those of the next chunk are
//! computed while those of this one are scaled. With weights in 4 bits a dot product and the sum of a block are 16 bits each, so
//! that one multiply-add of pairs applies scale and minimum; largest magnitudes take the lanes to 64 bits.

use std::{
    arch::{
        asm,
        x86_64::{
            __m512i, _MM_HINT_ET0, _MM_HINT_T0, _mm_cvtepi16_epi32, _mm_cvtepu16_epi32, _mm_maskz_loadu_epi8,
            _mm_prefetch, _mm_slli_epi32, _mm_srai_epi32, _mm_storel_epi64, _mm512_add_epi32, _mm512_add_epi64,
            _mm512_and_si512, _mm512_dpbusd_epi32, _mm512_load_si512, _mm512_madd_epi16, _mm512_mask_storeu_epi64,
            _mm512_maskz_loadu_epi8, _mm512_mullo_epi64, _mm512_permutexvar_epi64, _mm512_set_epi64, _mm512_set1_epi8,
            _mm512_set1_epi32, _mm512_set4_epi32, _mm512_setzero_si512, _mm512_shuffle_epi8, _mm512_shuffle_i64x2,
            _mm512_srli_epi64, _mm512_srlv_epi64, _mm512_ternarylogic_epi32, _mm512_unpackhi_epi64,
            _mm512_unpacklo_epi64, _mm512_xor_si512,
        },
    },
    cell::Cell,
};

use super::{
    super::{LINE, amx},
    BLOCK, Weights,
    panels::{PANEL, PANELS, Part, Strip, put},
};

/// Rows that are computed together.
const ROWS: usize = 16;
/// Blocks of a chunk.
const CHUNK: usize = 2;
/// Pairs of rows that are scaled for each block that is multiplied.
const STEP: usize = ROWS / 2 / CHUNK;

/// Sums of a row: vectors with even numbers, with odd ones.
type Sums = [[[i64; 8]; 2]; PANELS];
/// Dot products of a chunk: block by block, panel by panel, row by row.
type Dots = [[[[i32; PANEL]; ROWS]; PANELS]; CHUNK];

/// A chunk of weights.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Unpacked {
    /// As bytes: signed ones for the matrix unit, else unsigned ones.
    codes: [[u8; CHUNK * BLOCK]; ROWS],
    /// For weights in 4 bits pairs of scale and minimum, else scales.
    scales: [[i32; CHUNK]; ROWS],
    /// For weights in 8 bits.
    minima: [[i32; CHUNK]; ROWS],
}

/// What a thread writes on its way.
#[repr(C, align(64))]
pub(super) struct Scratch {
    /// A chunk whose dot products are there, the next one, and the one after.
    weights: [Unpacked; 3],
    /// Of the first two of them.
    dots: [Dots; 2],
    sums: [Sums; ROWS],
}

thread_local! {
    /// What is not in use.
    static SPARE: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

/// A thread's own; it goes back there.
pub(super) struct Own(Option<Box<Scratch>>);

impl Own {
    pub(super) fn take() -> Self {
        Self(SPARE.take())
    }

    pub(super) fn get(&mut self) -> &mut Scratch {
        self.0.get_or_insert_with(|| Box::new(Scratch::new()))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // While a thread ends there is nothing to keep it in.
        let _ = SPARE.try_with(|spare| spare.set(self.0.take()));
    }
}

impl Scratch {
    const fn new() -> Self {
        let none =
            Unpacked { codes: [[0; CHUNK * BLOCK]; ROWS], scales: [[0; CHUNK]; ROWS], minima: [[0; CHUNK]; ROWS] };
        Self {
            weights: [none; 3],
            dots: [[[[[0; PANEL]; ROWS]; PANELS]; CHUNK]; 2],
            sums: [[[[0; 8]; 2]; PANELS]; ROWS],
        }
    }
}

/// A chunk of a matrix.
#[derive(Clone, Copy)]
struct Chunk {
    first_row: usize,
    rows: usize,
    first_block: usize,
    blocks: usize,
}

/// The products of `count` rows from `first` on with the vectors of a strip, `stride` places apart in `out`.
///
/// # Safety
/// The CPU has AVX-512 F, BW, DQ, VL and VNNI.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn products(
    weights: &Weights<'_>,
    strip: &Strip,
    (first, count): (usize, usize),
    (out, stride): (&mut [i64], usize),
    scratch: &mut Scratch,
    unit: Option<&amx::Blocks>,
) {
    let job = Job { weights, strip, unit, first, count };
    // SAFETY: the CPU has what the functions ask for.
    unsafe {
        match (strip.panels(), weights.four) {
            (1, true) => job.run::<1, true>((out, stride), scratch),
            (1, false) => job.run::<1, false>((out, stride), scratch),
            (_, true) => job.run::<2, true>((out, stride), scratch),
            (_, false) => job.run::<2, false>((out, stride), scratch),
        }
    }
}

struct Job<'a> {
    weights: &'a Weights<'a>,
    strip: &'a Strip,
    unit: Option<&'a amx::Blocks>,
    first: usize,
    count: usize,
}

impl Job<'_> {
    /// The chunk at a row and a block, if there is one.
    #[inline]
    fn chunk(&self, first_row: usize, first_block: usize) -> Option<Chunk> {
        let end = self.first + self.count;
        let blocks = (self.weights.blocks - first_block).min(CHUNK);
        (first_row < end).then(|| Chunk { first_row, rows: (end - first_row).min(ROWS), first_block, blocks })
    }

    /// The chunk that follows: the next blocks of the same rows, or the first ones of the next rows.
    #[inline]
    fn after(&self, chunk: Chunk) -> Option<Chunk> {
        let block = chunk.first_block + chunk.blocks;
        if block < self.weights.blocks {
            self.chunk(chunk.first_row, block)
        } else {
            self.chunk(chunk.first_row + ROWS, 0)
        }
    }

    /// # Safety
    /// As [`products`].
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    unsafe fn run<const P: usize, const FOUR: bool>(&self, (out, stride): (&mut [i64], usize), scratch: &mut Scratch) {
        let Scratch { weights, dots, sums } = scratch;
        let [mut now, mut next, mut later] = weights.each_mut();
        let [mut dots_now, mut dots_next] = dots.each_mut();
        // Not in an array that is rotated: vectors of it would be written and words read, for which all writes before are waited for.
        let mut chunk_now = self.chunk(self.first, 0);
        let mut chunk_next = chunk_now.and_then(|chunk| self.after(chunk));
        // SAFETY: the CPU has what the functions ask for.
        unsafe {
            if let Some(chunk) = chunk_now {
                self.unpack::<FOUR>(chunk, now);
                for block in 0..chunk.blocks {
                    self.multiply::<P>(chunk, block, now, dots_now);
                    self.finish::<P>(block, dots_now);
                }
            }
            if let Some(chunk) = chunk_next {
                self.unpack::<FOUR>(chunk, next);
            }
            while let Some(chunk) = chunk_now {
                let chunk_later = chunk_next.and_then(|chunk| self.after(chunk));
                for pair in 0..ROWS / 2 {
                    self.fetch(chunk, pair);
                    // In between, what the next chunk needs of the matrix unit.
                    let (block, phase) = (pair / STEP, pair % STEP);
                    if let Some(chunk) = chunk_next.filter(|chunk| block < chunk.blocks) {
                        if phase == 0 {
                            self.multiply::<P>(chunk, block, next, dots_next);
                        } else if phase == STEP / 2 {
                            self.finish::<P>(block, dots_next);
                        }
                    }
                    self.scale::<P, FOUR>(chunk, 2 * pair, (now, dots_now), sums);
                }
                if let Some(chunk) = chunk_later {
                    self.unpack::<FOUR>(chunk, later);
                }
                if chunk.first_block == 0 {
                    // The results' lines are fetched before they are written.
                    for vector in 0..self.strip.vectors {
                        let place = out.as_ptr().wrapping_add(vector * stride + chunk.first_row - self.first);
                        fetch_for_writing(place.cast());
                        fetch_for_writing(place.wrapping_add(8).cast());
                    }
                }
                if chunk.first_block + chunk.blocks == self.weights.blocks {
                    let place = chunk.first_row - self.first;
                    store(sums, self.strip.vectors, &mut out[place..], (stride, chunk.rows));
                }
                (chunk_now, chunk_next) = (chunk_next, chunk_later);
                std::mem::swap(&mut dots_now, &mut dots_next);
                std::mem::swap(&mut now, &mut next);
                std::mem::swap(&mut next, &mut later);
            }
        }
    }

    /// Codes and scales of a chunk.
    ///
    /// # Safety
    /// As [`products`].
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    unsafe fn unpack<const FOUR: bool>(&self, chunk: Chunk, out: &mut Unpacked) {
        let (bytes, width) = (self.weights.block_bytes(), self.weights.scale_bytes());
        let flip = _mm512_set1_epi8(if self.unit.is_some() { 0 } else { -128 });
        // A nibble to its number and 8.
        let table = _mm512_set4_epi32(0x0706_0504, 0x0302_0100, 0x0f0e_0d0c, 0x0b0a_0908);
        let nibble = _mm512_set1_epi8(15);
        let matrices = _mm512_set_epi64(HIGH, HIGH, LOW, LOW, HIGH, HIGH, LOW, LOW);
        // Each block to two quarters, of which the second gives the odd numbers.
        let twice = _mm512_set_epi64(3, 2, 3, 2, 1, 0, 1, 0);
        let shift = _mm512_set_epi64(4, 4, 0, 0, 4, 4, 0, 0);
        let mask = u64::MAX >> (64 - chunk.blocks * bytes);
        let mask_of_scales = u16::MAX >> (16 - chunk.blocks * width);
        let (codes_of_row, scales_of_row) = (self.weights.blocks * bytes, self.weights.blocks * width);
        let start = |of_row: usize, of_block: usize| chunk.first_row * of_row + chunk.first_block * of_block;
        let end = |of_row: usize, of_block: usize| (chunk.rows - 1) * of_row + chunk.blocks * of_block;
        let codes = &self.weights.codes[start(codes_of_row, bytes)..][..end(codes_of_row, bytes)];
        let scales = &self.weights.scales[start(scales_of_row, width)..][..end(scales_of_row, width)];
        for row in 0..chunk.rows {
            let (codes, scales) =
                (codes.as_ptr().wrapping_add(row * codes_of_row), scales.as_ptr().wrapping_add(row * scales_of_row));
            // SAFETY: as many bytes are read as masks have bits, which each row has from its place on; those that are written are
            // rows of `out`.
            unsafe {
                let codes = _mm512_maskz_loadu_epi8(mask, codes.cast());
                let bytes = if FOUR && self.unit.is_some() {
                    affine(_mm512_permutexvar_epi64(twice, codes), matrices)
                } else if FOUR {
                    let nibbles = _mm512_srlv_epi64(_mm512_permutexvar_epi64(twice, codes), shift);
                    _mm512_shuffle_epi8(table, _mm512_and_si512(nibbles, nibble))
                } else {
                    _mm512_xor_si512(codes, flip)
                };
                put(&mut out.codes[row], bytes);
                let numbers = _mm_maskz_loadu_epi8(mask_of_scales, scales.cast());
                let (scales, minima) = match (FOUR, self.weights.minima) {
                    (true, true) => (numbers, numbers),
                    (true, false) => (_mm_cvtepu16_epi32(numbers), numbers),
                    (false, true) => {
                        (_mm_srai_epi32::<16>(_mm_slli_epi32::<16>(numbers)), _mm_srai_epi32::<16>(numbers))
                    }
                    (false, false) => (_mm_cvtepi16_epi32(numbers), numbers),
                };
                _mm_storel_epi64(out.scales[row].as_mut_ptr().cast(), scales);
                if !FOUR {
                    _mm_storel_epi64(out.minima[row].as_mut_ptr().cast(), minima);
                }
            }
        }
    }

    /// Fetches from the weights of the rows after the next 16 what a pair of rows of a chunk has time for.
    #[inline]
    fn fetch(&self, chunk: Chunk, pair: usize) {
        let number = chunk.first_block / CHUNK * (ROWS / 2) + pair;
        let line = |bytes: &[u8], of_block: usize, number: usize| {
            let place = (chunk.first_row + ROWS) * self.weights.blocks * of_block + number * LINE;
            // SAFETY: an address may be fetched whether or not it can be read.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(bytes.as_ptr().wrapping_add(place).cast()) };
        };
        // 16 rows of a block have 256 bytes of codes or 512, and up to 64 of scales.
        let each = self.weights.block_bytes() * ROWS * CHUNK / LINE / (ROWS / 2);
        (0..each).for_each(|at| line(self.weights.codes, self.weights.block_bytes(), number * each + at));
        if number.is_multiple_of(4) {
            line(self.weights.scales, self.weights.scale_bytes(), number / 4);
        }
    }

    /// The parts of a block.
    #[inline]
    fn parts<const P: usize>(&self, block: usize) -> &[Part; P] {
        &self.strip.parts.as_chunks::<P>().0[block]
    }

    /// Dot products of a block of 16 rows; those of the matrix unit stay in its registers.
    ///
    /// # Safety
    /// As [`products`].
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    unsafe fn multiply<const P: usize>(&self, chunk: Chunk, block: usize, weights: &Unpacked, dots: &mut Dots) {
        let parts = self.parts::<P>(chunk.first_block + block);
        let codes = &weights.codes;
        let a = codes.as_flattened()[block * BLOCK..].as_ptr();
        if let Some(unit) = self.unit {
            // SAFETY: 16 rows of 32 bytes from `a` on are codes; parts have 8 lines of codes.
            unsafe {
                unit.multiply::<P>(
                    (a, CHUNK * BLOCK),
                    [parts[0].codes.as_ptr().cast(), parts[P - 1].codes.as_ptr().cast()],
                )
            };
            return;
        }
        let out = &mut dots[block];
        for (part, out) in parts.iter().zip(out) {
            let mut lines = [_mm512_setzero_si512(); 8];
            for (lanes, codes) in lines.iter_mut().zip(&part.codes) {
                *lanes = line(codes);
            }
            let start = line(&part.start);
            for (row, out) in out.iter_mut().enumerate() {
                let groups = codes[row][block * BLOCK..][..BLOCK].as_chunks::<4>().0;
                let group = |k: usize| _mm512_set1_epi32(i32::from_le_bytes(groups[k]));
                let mut sums = [start, _mm512_setzero_si512()];
                for (k, &line) in lines.iter().enumerate() {
                    sums[k % 2] = _mm512_dpbusd_epi32(sums[k % 2], group(k), line);
                }
                put(out, _mm512_add_epi32(sums[0], sums[1]));
            }
        }
    }

    /// Writes the dot products that are in the matrix unit's registers.
    ///
    /// # Safety
    /// [`Job::multiply`] came before, with the same block.
    #[inline]
    unsafe fn finish<const P: usize>(&self, block: usize, dots: &mut Dots) {
        if let Some(unit) = self.unit {
            let [one, two] = &mut dots[block];
            // SAFETY: panels have 16 lines of sums.
            unsafe { unit.store::<P>([one.as_mut_ptr().cast(), two.as_mut_ptr().cast()]) };
        }
    }

    /// Adds a chunk of two rows to their sums.
    ///
    /// # Safety
    /// As [`products`].
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    unsafe fn scale<const P: usize, const FOUR: bool>(
        &self,
        chunk: Chunk,
        first: usize,
        (weights, dots): (&Unpacked, &Dots),
        sums: &mut [Sums; ROWS],
    ) {
        if first >= chunk.rows {
            return;
        }
        // A second row that does not exist is not looked at.
        let mut totals = [[[_mm512_setzero_si512(); 2]; P]; 2];
        if chunk.first_block > 0 {
            for (row, totals) in totals.iter_mut().enumerate() {
                for (panel, totals) in totals.iter_mut().enumerate() {
                    let [even, odd] = &sums[first + row][panel];
                    *totals = [line(even), line(odd)];
                }
            }
        }
        let halves = _mm512_set1_epi32(0xffff);
        for (block, dots) in dots.iter().enumerate().take(chunk.blocks) {
            let parts = self.parts::<P>(chunk.first_block + block);
            for row in 0..2 {
                let scale = _mm512_set1_epi32(weights.scales[first + row][block]);
                for panel in 0..P {
                    let (part, totals) = (&parts[panel], &mut totals[row][panel]);
                    let dot = line(&dots[panel][first + row]);
                    let odd = |lanes| _mm512_srli_epi64::<32>(lanes);
                    let most = [line(&part.most[0]), line(&part.most[1])];
                    if FOUR {
                        let pairs = _mm512_ternarylogic_epi32::<0xea>(dot, halves, line(&part.sums));
                        let scaled = _mm512_madd_epi16(pairs, scale);
                        totals[0] = _mm512_add_epi64(totals[0], multiplied(scaled, most[0]));
                        totals[1] = _mm512_add_epi64(totals[1], multiplied(odd(scaled), most[1]));
                    } else {
                        let mut scaled = [multiplied(dot, scale), multiplied(odd(dot), scale)];
                        if self.weights.minima {
                            let minimum = _mm512_set1_epi32(weights.minima[first + row][block]);
                            let sums = line(&part.sums);
                            scaled[0] = _mm512_add_epi64(scaled[0], multiplied(sums, minimum));
                            scaled[1] = _mm512_add_epi64(scaled[1], multiplied(odd(sums), minimum));
                        }
                        for side in 0..2 {
                            totals[side] = _mm512_add_epi64(totals[side], _mm512_mullo_epi64(scaled[side], most[side]));
                        }
                    }
                }
            }
        }
        for (row, totals) in totals.iter().enumerate() {
            for (panel, totals) in totals.iter().enumerate() {
                for (side, &total) in totals.iter().enumerate() {
                    put(&mut sums[first + row][panel][side], total);
                }
            }
        }
    }
}

/// A matrix of bits that takes a byte to the number in its low half: rows from the highest bit on, the first byte the lowest.
const LOW: i64 = 0x0102_0408_0808_0808;
/// That of its high half.
const HIGH: i64 = 0x1020_4080_8080_8080u64.cast_signed();

/// Bytes times matrices of bits.
#[inline]
#[target_feature(enable = "avx512f")]
fn affine(bytes: __m512i, matrices: __m512i) -> __m512i {
    let product;
    // SAFETY: the instruction reads and writes registers only; where there is a session for blocks, the CPU has it.
    unsafe {
        asm!("vgf2p8affineqb {product}, {bytes}, {matrices}, 0", bytes = in(zmm_reg) bytes, matrices = in(zmm_reg) matrices,
            product = lateout(zmm_reg) product, options(pure, nomem, nostack, preserves_flags));
    }
    product
}

/// Fetches a line that will be written.
#[inline]
fn fetch_for_writing(line: *const u8) {
    // SAFETY: an address may be fetched whether or not it can be written.
    unsafe { _mm_prefetch::<_MM_HINT_ET0>(line.cast()) };
}

/// Products of the low halves of lanes, signed: what `_mm512_mul_epi32` is for, which may be compiled to multiplications of whole lanes
/// and take three times as long.
#[inline]
#[target_feature(enable = "avx512f")]
fn multiplied(a: __m512i, b: __m512i) -> __m512i {
    let product;
    // SAFETY: the CPU has the instruction, which reads and writes registers only.
    unsafe {
        asm!("vpmuldq {product}, {a}, {b}", a = in(zmm_reg) a, b = in(zmm_reg) b, product = lateout(zmm_reg) product,
            options(pure, nomem, nostack, preserves_flags));
    }
    product
}

/// A line of 64 bytes.
#[inline]
#[target_feature(enable = "avx512f")]
fn line<T>(line: &T) -> __m512i {
    const { assert!(size_of::<T>() == 64) };
    // SAFETY: it has 64 bytes, and lies in a `Part` or a `Scratch`, which are aligned and made of such lines.
    unsafe { _mm512_load_si512(std::ptr::from_ref(line).cast()) }
}

/// Sums of 16 rows, vector by vector.
#[inline]
#[target_feature(enable = "avx512f")]
fn store(sums: &[Sums; ROWS], vectors: usize, out: &mut [i64], (stride, rows): (usize, usize)) {
    for (number, panel) in (0..vectors).step_by(PANEL).enumerate() {
        for side in 0..2 {
            for half in (0..rows).step_by(8) {
                let mut lines = [_mm512_setzero_si512(); 8];
                for (lanes, sums) in lines.iter_mut().zip(&sums[half..]) {
                    *lanes = line(&sums[number][side]);
                }
                let count = (rows - half).min(8);
                let places = (panel + side..vectors).step_by(2).map(|vector| vector * stride + half);
                for (turned, place) in turned(lines).into_iter().zip(places) {
                    let out = &mut out[place..][..count];
                    // SAFETY: as many numbers are written as there are.
                    unsafe { _mm512_mask_storeu_epi64(out.as_mut_ptr(), u8::MAX >> (8 - count), turned) };
                }
            }
        }
    }
}

/// Rows to columns.
#[inline]
#[target_feature(enable = "avx512f")]
fn turned(rows: [__m512i; 8]) -> [__m512i; 8] {
    // Pairs of rows within quarters, then quarters.
    let low = |at: usize| _mm512_unpacklo_epi64(rows[at], rows[at + 1]);
    let high = |at: usize| _mm512_unpackhi_epi64(rows[at], rows[at + 1]);
    let quarters = |p: [__m512i; 4]| {
        let a = _mm512_shuffle_i64x2::<0x44>(p[0], p[1]);
        let b = _mm512_shuffle_i64x2::<0xee>(p[0], p[1]);
        let c = _mm512_shuffle_i64x2::<0x44>(p[2], p[3]);
        let d = _mm512_shuffle_i64x2::<0xee>(p[2], p[3]);
        [
            _mm512_shuffle_i64x2::<0x88>(a, c),
            _mm512_shuffle_i64x2::<0xdd>(a, c),
            _mm512_shuffle_i64x2::<0x88>(b, d),
            _mm512_shuffle_i64x2::<0xdd>(b, d),
        ]
    };
    let even = quarters([low(0), low(2), low(4), low(6)]);
    let odd = quarters([high(0), high(2), high(4), high(6)]);
    [even[0], odd[0], even[1], odd[1], even[2], odd[2], even[3], odd[3]]
}
