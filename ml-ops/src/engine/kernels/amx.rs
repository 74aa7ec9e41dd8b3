//! The matrix unit (AMX): tiles of 16 rows by 64 bytes.
//!
//! Its intrinsics are not stable in Rust 1.95, its instructions in `asm!` are. The state of the tiles belongs to the
//! thread: [`Session`] configures it for a stretch of work and releases it at the end.

#![allow(unsafe_code, reason = "inline assembly; every block says why it is sound")]

use std::{arch::asm, cell::Cell, marker::PhantomData, sync::OnceLock};

use super::{
    LINE, PANEL, STRIP,
    planes::{self, Parts},
    tile::{Run, Sums, Tile},
};

/// Rows of a matrix register.
const HEIGHT: usize = 16;
/// Groups of a matrix register's row.
pub(super) const BLOCK: usize = 16;

/// Whether the CPU has the 8-bit product and the system grants it to this process.
pub(super) fn is_usable() -> bool {
    static USABLE: OnceLock<bool> = OnceLock::new();
    *USABLE.get_or_init(|| has_instructions() && is_granted())
}

/// CPUID leaf 7: bits 24 (tiles) and 25 (8-bit products) of EDX; leaf 1: the system saves extended state.
fn has_instructions() -> bool {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    let saves = __cpuid(1).ecx & (1 << 27) != 0;
    let tiles = __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & (3 << 24) == 3 << 24;
    saves && tiles
}

/// Asks Linux for the tiles' state, `arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)`, for all threads of the process.
#[cfg(target_os = "linux")]
fn is_granted() -> bool {
    const ARCH_PRCTL: u64 = 158;
    const REQUEST_PERMISSION: u64 = 0x1023;
    const TILE_DATA: u64 = 18;
    let result: u64;
    // SAFETY: this system call touches no memory of the process; kernels before 5.16 answer with an error.
    unsafe {
        asm!("syscall", inlateout("rax") ARCH_PRCTL => result, in("rdi") REQUEST_PERMISSION, in("rsi") TILE_DATA,
            out("rcx") _, out("r11") _, options(nostack));
    }
    result == 0
}

/// Other systems have other ways to ask.
#[cfg(not(target_os = "linux"))]
fn is_granted() -> bool {
    false
}

thread_local! {
    /// Sessions of this thread.
    static SESSIONS: Cell<usize> = const { Cell::new(0) };
    /// Whether a session for [`Blocks`] lives instead.
    static BLOCKS: Cell<bool> = const { Cell::new(false) };
}

/// While one lives, this thread's matrix registers are configured.
pub(super) struct Session(PhantomData<*const ()>);

#[repr(C, align(64))]
struct Config([u8; 64]);

/// Palette 1: eight registers of 16 rows by 64 bytes.
static CONFIG: Config = configured(&[(16, 64); 8]);

/// Palette 1 for [`Blocks`]: sums in the first four registers, 16 rows by 32 bytes in the next two, 8 rows by 64 bytes in the last.
static CONFIG_OF_BLOCKS: Config =
    configured(&[(16, 64), (16, 64), (16, 64), (16, 64), (16, 32), (16, 32), (8, 64), (8, 64)]);

const fn configured(shapes: &[(u8, u8); 8]) -> Config {
    let mut bytes = [0; 64];
    bytes[0] = 1;
    let mut register = 0;
    while register < 8 {
        (bytes[48 + register], bytes[16 + 2 * register]) = shapes[register];
        register += 1;
    }
    Config(bytes)
}

impl Session {
    /// `None` if this process cannot use the unit, or this thread has it configured for blocks.
    pub(super) fn new() -> Option<Self> {
        if !is_usable() || BLOCKS.get() {
            return None;
        }
        if SESSIONS.replace(SESSIONS.get() + 1) == 0 {
            // SAFETY: the unit is usable; the configuration is 64 bytes of palette 1.
            unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const CONFIG, options(nostack, readonly)) };
        }
        Some(Self(PhantomData))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        SESSIONS.set(SESSIONS.get().saturating_sub(1));
        if SESSIONS.get() == 0 {
            // SAFETY: the unit is usable, otherwise there would be no session.
            unsafe { asm!("tilerelease", options(nostack, nomem)) };
        }
    }
}

/// While one lives, this thread's matrix registers are configured for products of blocks of 32 signed bytes.
pub(super) struct Blocks(PhantomData<*const ()>);

impl Blocks {
    /// `None` if this process cannot use the unit, or this thread has it configured already.
    pub(super) fn new() -> Option<Self> {
        if !is_usable() || SESSIONS.get() > 0 || BLOCKS.replace(true) {
            return None;
        }
        // SAFETY: the unit is usable; the configuration is 64 bytes of palette 1.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const CONFIG_OF_BLOCKS, options(nostack, readonly)) };
        Some(Self(PhantomData))
    }

    /// 16 rows of 32 signed bytes, `stride` bytes apart, by 16 columns, four bytes of each in each of 8 lines of 64 bytes; by 16 more
    /// if `P` is 2. The sums stay in registers: nothing else in a process uses those.
    ///
    /// # Safety
    /// All that can be read.
    #[inline]
    pub(super) unsafe fn multiply<const P: usize>(&self, (a, stride): (*const u8, usize), b: [*const u8; 2]) {
        // SAFETY: the registers are configured as long as this lives; the caller warrants the memory.
        unsafe {
            asm!(
                "tileloadd tmm6, [{b} + {line}*1]",
                "tileloadd tmm4, [{a} + {stride}*1]",
                "tilezero tmm0",
                "tdpbssd tmm0, tmm4, tmm6",
                a = in(reg) a, stride = in(reg) stride, b = in(reg) b[0], line = in(reg) LINE,
                out("tmm0") _, out("tmm4") _, out("tmm6") _,
                options(nostack, readonly)
            );
            if P == 2 {
                asm!(
                    "tileloadd tmm7, [{b} + {line}*1]",
                    "tilezero tmm1",
                    "tdpbssd tmm1, tmm4, tmm7",
                    b = in(reg) b[1], line = in(reg) LINE, out("tmm1") _, out("tmm7") _,
                    options(nostack, readonly)
                );
            }
        }
    }

    /// Writes these sums to 16 lines each.
    ///
    /// # Safety
    /// All that can be written.
    #[inline]
    pub(super) unsafe fn store<const P: usize>(&self, c: [*mut i32; 2]) {
        // SAFETY: as in `multiply`.
        unsafe {
            asm!("tilestored [{c} + {line}*1], tmm0", c = in(reg) c[0], line = in(reg) LINE, options(nostack));
            if P == 2 {
                asm!("tilestored [{c} + {line}*1], tmm1", c = in(reg) c[1], line = in(reg) LINE, options(nostack));
            }
        }
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        BLOCKS.set(false);
        // SAFETY: the unit is usable, otherwise there would be no session.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}

/// Sums of a tile; `false` if there is no session or the tile is not for this unit: fewer than 16 rows, rows that are
/// not evenly spaced, or columns or terms that cannot be read in whole blocks.
pub(super) fn sums(tile: &Tile<'_>, sums: &mut Sums) -> bool {
    let count = tile.rows.len();
    let terms = !tile.runs.is_empty() && tile.runs.iter().all(|run| run.groups > 0);
    if SESSIONS.get() == 0 || !terms || !(HEIGHT..=2 * HEIGHT).contains(&count) || !tile.is_inside(BLOCK) {
        return false;
    }
    // The second half may overlap the first: the shared rows are computed twice.
    let second = count - HEIGHT;
    let Some(stride) = tile.stride else { return false };
    let evenly = || tile.rows.windows(2).all(|pair| pair[0].checked_add(stride) == Some(pair[1]));
    if !evenly() {
        return false;
    }
    let out = sums.as_mut_ptr().cast::<i32>();
    let row = |number: usize| tile.a.as_ptr().wrapping_add(tile.rows[number]);
    for panel in (0..tile.panels).step_by(2) {
        let pair = panel + 1 < tile.panels;
        let b = tile.b.as_ptr().wrapping_add(panel * tile.panel);
        let c = out.wrapping_add(panel * PANEL);
        let operands = Operands {
            a: [row(0), row(second)],
            b: [b, b.wrapping_add(if pair { tile.panel } else { 0 })],
            c: [c, c.wrapping_add(second * STRIP)],
        };
        // SAFETY: a session lives; the tile is inside in whole blocks; the sums have room for 32 rows of 64, of which
        // the rows from 0 and from `second` on, 16 each, are written at columns of existing panels.
        unsafe {
            match (count > HEIGHT, pair) {
                (true, true) => four(&operands, stride, tile.runs),
                (true, false) => tall(&operands, stride, tile.runs),
                (false, true) => wide(&operands, stride, tile.runs),
                (false, false) => one(&operands, stride, tile.runs),
            }
        }
    }
    true
}

/// Where a kernel reads and writes: two blocks of rows, two panels, the sums of both blocks.
#[repr(C)]
struct Operands {
    a: [*const u8; 2],
    b: [*const u8; 2],
    c: [*mut i32; 2],
}

/// Defines a kernel: which registers are zeroed, what a block loads and multiplies, what is stored.
macro_rules! kernel {
    ($(#[$doc:meta])* $name:ident, zero [$($zero:literal),*], block [$($block:literal),*], store [$($store:literal),*]) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// A session lives. There is a run, and none is empty. Every run can be read in whole blocks of 64 bytes in 16
        /// rows from each `a` on that the kernel uses, and in whole lines from each `b`; 16 rows of sums from each `c`
        /// can be written.
        unsafe fn $name(operands: &Operands, stride: usize, runs: &[Run]) {
            // SAFETY: as the caller warrants. The registers are set and stored inside this block.
            unsafe {
                asm!(
                    $($zero,)*
                    "2:",
                    // A run: offset, groups, line, length.
                    "mov {a0}, [{runs}]",
                    "mov {count}, [{runs} + 8]",
                    "mov {b0}, [{runs} + 16]",
                    "shl {b0}, 6",
                    "mov {a1}, {a0}",
                    "mov {b1}, {b0}",
                    "add {a0}, [{operands}]",
                    "add {a1}, [{operands} + 8]",
                    "add {b0}, [{operands} + 16]",
                    "add {b1}, [{operands} + 24]",
                    "3:",
                    $($block,)*
                    "add {a0}, 64",
                    "add {a1}, 64",
                    "add {b0}, 1024",
                    "add {b1}, 1024",
                    "sub {count}, 16",
                    "ja 3b",
                    "add {runs}, 32",
                    "dec {left}",
                    "jnz 2b",
                    "mov {a0}, [{operands} + 32]",
                    "mov {a1}, [{operands} + 40]",
                    "mov {line}, 256",
                    $($store,)*
                    operands = in(reg) operands,
                    left = inout(reg) runs.len() => _,
                    runs = inout(reg) runs.as_ptr() => _,
                    a0 = out(reg) _, a1 = out(reg) _, b0 = out(reg) _, b1 = out(reg) _, count = out(reg) _,
                    stride = in(reg) stride, line = inout(reg) LINE => _,
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack)
                );
            }
        }
    };
}
const _: () = assert!(size_of::<Run>() == 32 && 4 * STRIP == 256, "numbers in the assembly");

kernel!(
    /// Two blocks of rows by two panels.
    four,
    zero ["tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3"],
    block [
        "tileloadd tmm6, [{b0} + {line}*1]",
        "tileloadd tmm4, [{a0} + {stride}*1]",
        "tdpbusd tmm0, tmm4, tmm6",
        "tileloadd tmm7, [{b1} + {line}*1]",
        "tdpbusd tmm1, tmm4, tmm7",
        "tileloadd tmm5, [{a1} + {stride}*1]",
        "tdpbusd tmm2, tmm5, tmm6",
        "tdpbusd tmm3, tmm5, tmm7"
    ],
    store [
        "tilestored [{a0} + {line}*1], tmm0",
        "tilestored [{a0} + {line}*1 + 64], tmm1",
        "tilestored [{a1} + {line}*1], tmm2",
        "tilestored [{a1} + {line}*1 + 64], tmm3"
    ]
);

kernel!(
    /// Two blocks of rows by a panel.
    tall,
    zero ["tilezero tmm0", "tilezero tmm2"],
    block [
        "tileloadd tmm6, [{b0} + {line}*1]",
        "tileloadd tmm4, [{a0} + {stride}*1]",
        "tdpbusd tmm0, tmm4, tmm6",
        "tileloadd tmm5, [{a1} + {stride}*1]",
        "tdpbusd tmm2, tmm5, tmm6"
    ],
    store ["tilestored [{a0} + {line}*1], tmm0", "tilestored [{a1} + {line}*1], tmm2"]
);

kernel!(
    /// A block of rows by two panels.
    wide,
    zero ["tilezero tmm0", "tilezero tmm1"],
    block [
        "tileloadd tmm6, [{b0} + {line}*1]",
        "tileloadd tmm4, [{a0} + {stride}*1]",
        "tdpbusd tmm0, tmm4, tmm6",
        "tileloadd tmm7, [{b1} + {line}*1]",
        "tdpbusd tmm1, tmm4, tmm7"
    ],
    store ["tilestored [{a0} + {line}*1], tmm0", "tilestored [{a0} + {line}*1 + 64], tmm1"]
);

kernel!(
    /// A block of rows by a panel.
    one,
    zero ["tilezero tmm0"],
    block [
        "tileloadd tmm6, [{b0} + {line}*1]",
        "tileloadd tmm4, [{a0} + {stride}*1]",
        "tdpbusd tmm0, tmm4, tmm6"
    ],
    store ["tilestored [{a0} + {line}*1], tmm0"]
);

/// The parts of a block of rows and a panel; `false` if there is no session or a plane is too short.
pub(super) fn parts(a: ([&[u8]; 2], usize), b: [&[u8]; 2], terms: usize, parts: &mut Parts) -> bool {
    let (a, stride) = a;
    let reach = (planes::HEIGHT - 1) * stride + terms;
    let long = |plane: &&[u8], length: usize| plane.len() >= length;
    let inside = a.iter().all(|plane| long(plane, reach)) && b.iter().all(|plane| long(plane, terms * PANEL));
    let steps = terms / planes::STEP;
    if SESSIONS.get() == 0 || !inside || steps == 0 {
        return false;
    }
    // SAFETY: a session lives; each step reads 64 bytes of 16 rows and 16 lines, which lie inside; the parts have room for
    // three blocks of 16 lines. The registers are set and stored inside this block.
    unsafe {
        asm!(
            "tilezero tmm0", "tilezero tmm1", "tilezero tmm2",
            "2:",
            "tileloadd tmm3, [{a0} + {stride}*1]",
            "tileloadd tmm5, [{b0} + {line}*1]",
            "tdpbuud tmm0, tmm3, tmm5",
            "tileloadd tmm6, [{b1} + {line}*1]",
            "tdpbusd tmm1, tmm3, tmm6",
            "tileloadd tmm4, [{a1} + {stride}*1]",
            "tdpbssd tmm2, tmm4, tmm6",
            "tdpbsud tmm1, tmm4, tmm5",
            "add {a0}, 64",
            "add {a1}, 64",
            "add {b0}, 1024",
            "add {b1}, 1024",
            "dec {steps}",
            "jnz 2b",
            "tilestored [{out} + {line}*1], tmm0",
            "tilestored [{out} + {line}*1 + 1024], tmm1",
            "tilestored [{out} + {line}*1 + 2048], tmm2",
            a0 = inout(reg) a[0].as_ptr() => _, a1 = inout(reg) a[1].as_ptr() => _,
            b0 = inout(reg) b[0].as_ptr() => _, b1 = inout(reg) b[1].as_ptr() => _,
            steps = inout(reg) steps => _, stride = in(reg) stride, line = in(reg) LINE, out = in(reg) parts.as_mut_ptr(),
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _, out("tmm4") _, out("tmm5") _, out("tmm6") _,
            options(nostack)
        );
    }
    true
}
const _: () = assert!(size_of::<Parts>() == 3072 && planes::STEP == LINE, "numbers in the assembly");
