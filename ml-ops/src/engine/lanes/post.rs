//! The operations after a reduction. Other forms use them too.

use opml_vm::{DType, Instruction, Program};

use super::{
    analysis::Analysis,
    code::Code,
    compile,
    grow::Growth,
    machine::{Held, Numbers},
    reduce::Reduction,
    shifted::Shifted,
    simd::Kernels,
    space::Space,
};
use crate::{
    engine::{
        Frame,
        interval::Interval,
        load::{Extents, FIRST_K, Headers},
        pack,
    },
    tier::Tier,
};

/// The operations after the reduction.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Post {
    code: Option<Code>,
    /// If it is as plain as that.
    shifted: Option<Shifted>,
    kernels: Kernels,
    /// How it follows extents, where that was asked for.
    growth: Option<Growth>,
}

/// What one thread needs to run a [`Post`].
pub(in crate::engine) struct Workspace<'a> {
    frame: Frame<'a>,
    machine: Option<Held>,
    /// Whether the machine has begun in this frame.
    begun: bool,
}

impl<'a> Workspace<'a> {
    /// For one instruction in one frame; nothing is made before it is needed.
    pub(in crate::engine) fn with(_: &[i64], _: usize, _: Extents, frame: Frame<'a>) -> Self {
        Self { frame, machine: None, begun: false }
    }

    /// Goes on in another frame.
    pub(in crate::engine) const fn turn(&mut self, frame: Frame<'a>) {
        self.frame = frame;
        self.begun = false;
    }
}

impl Post {
    /// For any reduced values that the map can give; `None` if a load cannot be planned.
    pub(in crate::engine) fn new(instruction: &Instruction, extents: &Extents, header: Headers<'_>) -> Option<Self> {
        let map = Analysis::new(instruction, &instruction.map, extents, None, header)?;
        let terms = extents[FIRST_K..].iter().fold(1, |n: i64, &extent| n.saturating_mul(extent));
        let acc = Reduction::interval(instruction.reducer, map.result(), terms);
        Self::with_acc(instruction, extents, acc, header, Tier::current())
    }

    /// For reduced values in an interval, on a tier.
    pub(in crate::engine) fn with_acc(
        instruction: &Instruction,
        extents: &Extents,
        acc: Interval,
        header: Headers<'_>,
        tier: Tier,
    ) -> Option<Self> {
        Self::planned(instruction, extents, acc, header, tier, None)
    }

    /// The same for extents up to these; see [`Post::fit`]. `None` also if it follows them in other ways.
    pub(in crate::engine) fn growing(
        program: &Program,
        instruction: &Instruction,
        extents: &Extents,
        acc: Interval,
        header: Headers<'_>,
        tier: Tier,
    ) -> Option<Self> {
        Self::planned(instruction, extents, acc, header, tier, Some(program))
    }

    fn planned(
        instruction: &Instruction,
        extents: &Extents,
        acc: Interval,
        header: Headers<'_>,
        tier: Tier,
        growing: Option<&Program>,
    ) -> Option<Self> {
        let kernels = Kernels::new(tier);
        if instruction.post.is_empty() {
            return Some(Self { code: None, shifted: None, kernels, growth: None });
        }
        let extents = outputs(extents);
        let analysis = Analysis::new(instruction, &instruction.post, &extents, Some(acc), header)?;
        let space = Space::new(&analysis.extents, false);
        let work = extents.iter().fold(1, |n: i64, &extent| n.saturating_mul(extent));
        let code = compile::compile(instruction, &analysis, space, true, work);
        let shifted =
            Shifted::new(instruction.dtype, &analysis).filter(|shifted| growing.is_none() || shifted.is_free());
        let growth = match growing {
            Some(program) => Some(Growth::new(program, instruction, &instruction.post, (&analysis, &code, &extents))?),
            None => None,
        };
        Some(Self { code: Some(code), shifted, kernels, growth })
    }

    /// Fits it to the extents of an iteration. If `false`, it must not run before it is fitted to others.
    pub(in crate::engine) fn fit(
        &mut self,
        program: &Program,
        instruction: &Instruction,
        (t, extents): (u64, &Extents),
    ) -> bool {
        let Some(code) = &mut self.code else { return true };
        let Some(growth) = &self.growth else { return false };
        let extents = outputs(extents);
        growth.covers(&extents) && code.fit(growth, (program, instruction, &instruction.post), (t, &extents))
    }

    /// Elements from number `first` on, from their reduced values.
    pub(in crate::engine) fn run(
        &self,
        dtype: DType,
        first: usize,
        acc: &[i64],
        bytes: &mut [u8],
        workspace: &mut Workspace<'_>,
    ) {
        self.numbers(dtype, first, Numbers::Wide(acc), bytes, workspace);
    }

    /// The same from reduced values of either width.
    pub(in crate::engine) fn numbers(
        &self,
        dtype: DType,
        first: usize,
        acc: Numbers<'_>,
        bytes: &mut [u8],
        workspace: &mut Workspace<'_>,
    ) {
        let Some(code) = &self.code else {
            return store(self.kernels, dtype, acc, bytes);
        };
        let frame = workspace.frame;
        if let (Some(shifted), Numbers::Wide(acc)) = (&self.shifted, acc) {
            return shifted.run(frame, self.kernels, (first, acc), bytes);
        }
        let fresh = workspace.machine.is_none();
        let held = workspace.machine.get_or_insert_with(|| Held::new(code, self.kernels, frame));
        let Some(machine) = held.get() else { return };
        if !fresh && !workspace.begun {
            machine.start(code, frame);
        }
        workspace.begun = true;
        let (mut at, width) = (0, pack::width(dtype));
        for block in code.space.blocks(first, acc.len(), code.lanes()) {
            let count = block.size();
            machine.block(code, frame, block, acc.part(at, count));
            let bytes = &mut bytes[at * width..(at + count) * width];
            store(self.kernels, dtype, machine.result(code, count), bytes);
            at += count;
        }
    }

    /// Number of operations.
    pub(in crate::engine) fn len(&self) -> usize {
        self.code.as_ref().map_or(0, |code| code.block.len())
    }
}

/// The extents without those of the reduction.
fn outputs(extents: &Extents) -> Extents {
    let mut extents = *extents;
    extents[FIRST_K..].fill(1);
    extents
}

fn store(kernels: Kernels, dtype: DType, values: Numbers<'_>, bytes: &mut [u8]) {
    match values {
        Numbers::Narrow(values) => kernels.write(bytes, dtype, values),
        Numbers::Wide(values) => kernels.write(bytes, dtype, values),
    }
}
