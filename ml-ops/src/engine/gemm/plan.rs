//! From an instruction to a product: widths, runs, layout, what is known of the sums.

use opml_vm::{DType, Instruction, Program};

use super::{Gemm, Kept, Sides};
use crate::{
    engine::{
        epilogue::{self, Bounds, Epilogue, Share},
        kernels::{Axis, GROUP, Grid, Isa, LINE, Layout, Narrow, Packed, Piece, Run, Taps, Terms, Width},
        load::{self, Extents, FIRST_K, Headers, size},
        rows::{self, Factor},
        view::Source,
    },
    num,
    tier::Tier,
};

/// What is known of an instruction while its product is planned.
pub(super) struct Plan<'a> {
    pub(super) instruction: &'a Instruction,
    pub(super) extents: Extents,
    pub(super) elements: i64,
    pub(super) terms: i64,
    pub(super) columns: i64,
    pub(super) isa: Isa,
    pub(super) width: Width,
    pub(super) header: Headers<'a>,
    pub(super) program: &'a Program,
}

impl Plan<'_> {
    /// The product at this width, if the numbers fit it. `rows` are those of a constant column factor.
    pub(super) fn finish(&self, sides: &Sides, rows: Option<&[i32]>) -> Option<Gemm> {
        let Sides { row, column, .. } = sides;
        let source = Source::new(&row.load, row.offset, self.width)?;
        let k = size(self.terms);
        let (low, high) = match rows {
            Some(rows) => (i128::from(*rows.iter().min()?), i128::from(*rows.iter().max()?)),
            None => column.range(),
        };
        let column_offset = self.column_offset(low, high)?;
        // What was taken from the row factor: `a = a' + shift`.
        let shift = match (self.width, row.load.dtype) {
            (Width::Word, _) => 0,
            (Width::Byte, DType::I8) => row.offset.checked_sub(128)?,
            (Width::Byte, _) => row.offset,
        };
        let positions = self.positions(&source);
        let mut terms = self.terms(&source, &positions)?;
        let layout = self.layout(sides, &source)?;
        let bounds = bounds(row.range(), rows, k, (low, high));
        if sides.depthwise {
            let taps = self.taps(sides, &source, &positions, rows?)?;
            if column_offset != 0 {
                return None;
            }
            let share = Share { shift, offset: 0 };
            let epilogue = Epilogue::new(&self.context(sides), bounds, share, Some(&taps.totals))?;
            return Some(self.gemm(sides, source, (terms, layout), 0, (Kept::Taps(taps), None), epilogue));
        }
        terms.row_factor = i64::from(column_offset);
        let format = (self.width, terms.runs.as_slice(), terms.lines);
        let packed = rows.map(|rows| {
            let packed = Packed::new(rows, k, size(self.columns), column_offset, format);
            packed.with_planes(self.isa, rows, k, self.width)
        });
        terms.bounded = self.is_bounded(row, packed.as_ref(), low.abs().max(high.abs()));
        if !terms.bounded && self.width == Width::Byte {
            return None;
        }
        let share = Share { shift, offset: shift.checked_mul(i64::from(column_offset))?.checked_mul(self.terms)? };
        let totals = packed.as_ref().map(|packed| packed.totals.as_slice());
        let epilogue = Epilogue::new(&self.context(sides), bounds, share, totals)?;
        let kept = packed.map_or(Kept::Nothing, Kept::Packed);
        let few = terms.bounded && column_offset == 0 && self.isa.tier() >= Tier::Avx512;
        let narrow = rows.filter(|_| few).and_then(|rows| self.narrow(&layout, &positions, rows));
        Some(self.gemm(sides, source, (terms, layout), column_offset, (kept, narrow), epilogue))
    }

    fn gemm(
        &self,
        sides: &Sides,
        source: Source,
        (terms, layout): (Terms, Layout),
        column_offset: i32,
        (kept, narrow): (Kept, Option<Narrow>),
        epilogue: Epilogue,
    ) -> Gemm {
        Gemm {
            dtype: self.instruction.dtype,
            isa: self.isa,
            extents: self.extents,
            constants: self.instruction.constants.clone(),
            row: sides.row.load.place,
            source,
            column: sides.column.clone(),
            terms,
            k: size(self.terms),
            layout,
            column_offset,
            grid: self.grid(sides, column_offset),
            kept,
            narrow,
            epilogue,
        }
    }

    /// Where the column factor lies, if it is a value whose numbers differ from the packed ones by their type's sign alone.
    fn grid(&self, sides: &Sides, column_offset: i32) -> Option<Grid> {
        let column = &sides.column;
        let (flip, natural) = match (self.width, column.load.dtype) {
            (Width::Byte, DType::I8) => (0, 0),
            (Width::Byte, DType::U8) => (0x80, 128),
            (Width::Word, DType::I16) => (0, 0),
            _ => return None,
        };
        if !column.load.inside || column.offset.checked_add(natural)? != i64::from(column_offset) {
            return None;
        }
        let (base, coefficients) = column.load.linear();
        let mut own = self.extents;
        for axis in (0..FIRST_K).filter(|&axis| !column.load.follows(axis..axis + 1)) {
            own[axis] = 1;
        }
        let walk = |first: usize, end: usize, base: i64| -> Vec<usize> {
            let count: i64 = own[first..end].iter().product();
            let mut point = [0; 16];
            let position = |point: &[i64; 16]| base + (first..end).map(|c| coefficients[c] * point[c]).sum::<i64>();
            let mut positions = Vec::with_capacity(size(count));
            let mut inner = own;
            (0..16).filter(|axis| !(first..end).contains(axis)).for_each(|axis| inner[axis] = 1);
            for _ in 0..count {
                positions.push(size(position(&point)));
                load::advance(&inner, if first < FIRST_K { 0 } else { FIRST_K }, &mut point);
            }
            positions
        };
        // All parts of a position are counted from the least one.
        let least =
            |range: std::ops::Range<usize>| -> i64 { range.map(|c| (coefficients[c] * (own[c] - 1)).min(0)).sum() };
        let (columns, terms) = (least(sides.split..FIRST_K), least(FIRST_K..16));
        Some(Grid {
            blocks: walk(0, sides.split, base + columns + terms),
            columns: walk(sides.split, FIRST_K, -columns),
            terms: walk(FIRST_K, 16, -terms),
            flip,
        })
    }

    /// The column factor for rows in lanes, if columns are few and rows evenly spaced.
    fn narrow(&self, layout: &Layout, positions: &[i64], rows: &[i32]) -> Option<Narrow> {
        let line = layout.line()?;
        if !Narrow::takes(usize::try_from(line.a).ok()?) {
            return None;
        }
        let first = *positions.iter().min()?;
        let bytes = self.width.bytes();
        let piece = |(term, position, length)| (term, size(position - first) * bytes, length);
        let pieces: Vec<_> = rows::runs(positions).into_iter().map(piece).collect();
        Narrow::new(self.width, &pieces, rows, size(self.terms))
    }

    fn context(&self, sides: &Sides) -> epilogue::Context<'_> {
        let column = &sides.column;
        let mut own = self.extents;
        for axis in (0..FIRST_K).filter(|&axis| !column.load.follows(axis..axis + 1)) {
            own[axis] = 1;
        }
        epilogue::Context {
            program: self.program,
            instruction: self.instruction,
            extents: self.extents,
            own,
            header: self.header,
            columns: size(self.columns),
            split: sides.split,
            tier: self.isa.tier(),
        }
    }

    /// Weights of a depthwise sum, whose channels are consecutive in the row factor.
    fn taps(&self, sides: &Sides, source: &Source, positions: &[i64], rows: &[i32]) -> Option<Taps> {
        let first = *positions.iter().min()?;
        if source.linear.1[sides.split] != 1 {
            return None;
        }
        let offsets = positions.iter().map(|position| size(position - first) * self.width.bytes()).collect();
        let (low, high) = sides.row.range();
        let largest = match self.width {
            Width::Byte => 255,
            Width::Word => i64::try_from(low.abs().max(high.abs())).ok()?,
        };
        Taps::new(self.width, offsets, rows, largest)
    }

    /// What is taken from the column factor so that it fits.
    fn column_offset(&self, low: i128, high: i128) -> Option<i32> {
        let fits = |low: i128, high: i128| match self.width {
            Width::Byte => low >= -128 && high <= 127,
            Width::Word => low >= i128::from(i16::MIN) && high <= i128::from(i16::MAX),
        };
        if fits(low, high) {
            return Some(0);
        }
        let offset = low.checked_add(128)?;
        let shifted = self.width == Width::Byte && fits(low - offset, high - offset);
        shifted.then(|| i32::try_from(offset).ok()).flatten()
    }

    /// Position of each term in the row factor.
    fn positions(&self, source: &Source) -> Vec<i64> {
        let coefficients = source.linear.1;
        let mut positions = Vec::with_capacity(size(self.terms));
        let mut point = [0; 16];
        for _ in 0..self.terms {
            positions.push((FIRST_K..16).map(|c| coefficients[c] * point[c]).sum::<i64>());
            load::advance(&self.extents, FIRST_K, &mut point);
        }
        positions
    }

    /// Runs of the row factor's terms.
    fn terms(&self, source: &Source, positions: &[i64]) -> Option<Terms> {
        let base = source.linear.0;
        let first = *positions.iter().min()?;
        let bytes = self.width.bytes();
        let pieces: Vec<(usize, usize)> = rows::runs(positions)
            .into_iter()
            .map(|(_, position, length)| (size(position - first) * bytes, length * bytes))
            .collect();
        let matrix = self.isa.tier() >= Tier::Amx && self.width == Width::Byte;
        let block = if matrix { LINE } else { GROUP };
        let padded = |length: usize| length.next_multiple_of(block) / GROUP;
        let in_place: usize = pieces.iter().map(|&(_, length)| padded(length)).sum();
        let length = positions.len() * bytes;
        let together = padded(length);
        let scattered = in_place * 4 > together * 5;
        let whole = [(0, length)];
        let listed: &[(usize, usize)] = if scattered { &whole } else { &pieces };
        let mut line = 0;
        let mut run = |&(offset, length): &(usize, usize)| {
            let run = Run { offset, groups: length.div_ceil(GROUP), line, length };
            line += padded(length);
            run
        };
        let runs: Vec<Run> = listed.iter().map(&mut run).collect();
        let mut to = 0;
        let mut piece = |&(from, length): &(usize, usize)| {
            to += length;
            Piece { to: to - length, from, length }
        };
        let pieces = scattered.then(|| pieces.iter().map(&mut piece).collect());
        let base = isize::try_from((base + first) * num::signed(bytes)).ok()?;
        let width = self.width;
        let packed_runs = runs.iter().map(|run| run.packed()).collect();
        Some(Terms { width, base, runs, packed_runs, lines: line, pieces, bounded: true, row_factor: 0 })
    }

    /// Whether i32 holds all sums, whatever the row factor's numbers are.
    fn is_bounded(&self, row: &Factor, packed: Option<&Packed>, largest: i128) -> bool {
        let (low, high) = row.range();
        let (row_most, column_most) = match self.width {
            Width::Byte => (255, 128),
            Width::Word => (low.abs().max(high.abs()), largest),
        };
        let heaviest = packed.map_or(column_most * i128::from(self.terms), |packed| i128::from(packed.heaviest));
        heaviest * row_most <= i128::from(i32::MAX)
    }

    /// Where rows and blocks lie.
    fn layout(&self, sides: &Sides, source: &Source) -> Option<Layout> {
        let bytes = num::signed(self.width.bytes());
        let (mut blocks, mut rows) = (Vec::new(), Vec::new());
        for axis in (0..sides.split).filter(|&axis| self.extents[axis] != 1) {
            let step: i64 = self.extents[axis + 1..FIRST_K].iter().product();
            let a = isize::try_from(source.linear.1[axis].checked_mul(bytes)?).ok()?;
            let own = Axis { extent: size(self.extents[axis]), a, out: size(step) };
            if sides.column.load.follows(axis..axis + 1) { blocks.push(own) } else { rows.push(own) }
        }
        Layout::new(blocks, rows, size(self.columns), size(self.elements))
    }
}

/// Least and greatest sum.
fn bounds(row: (i128, i128), rows: Option<&[i32]>, k: usize, column: (i128, i128)) -> Bounds {
    let ends = |n: i128| [row.0 * n, row.1 * n];
    let term = |n: i128| (ends(n).into_iter().min().unwrap_or(0), ends(n).into_iter().max().unwrap_or(0));
    let sum = |row: &[i32]| {
        let terms = row.iter().map(|&n| term(i128::from(n)));
        terms.fold((0, 0), |(low, high), (l, h)| (low + l, high + h))
    };
    match rows {
        Some(rows) => {
            let sums = rows.chunks_exact(k.max(1)).map(sum);
            let (low, high) = sums.fold((0, 0), |(low, high), (l, h): (i128, i128)| (low.min(l), high.max(h)));
            Bounds { low, high }
        }
        None => {
            let (a, b) = (term(column.0), term(column.1));
            let k = i128::from(num::signed(k));
            Bounds { low: a.0.min(b.0).min(0) * k, high: a.1.max(b.1).max(0) * k }
        }
    }
}
