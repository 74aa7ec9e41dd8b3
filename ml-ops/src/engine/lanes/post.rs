//! The operations after a reduction. Other forms use them too.

use opml_vm::{DType, Instruction};

use super::{
    analysis::Analysis,
    code::Code,
    compile,
    machine::{Machine, Numbers},
    reduce::Reduction,
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
    kernels: Kernels,
}

/// What one thread needs to run a [`Post`].
pub(in crate::engine) struct Workspace<'a> {
    frame: Frame<'a>,
    machine: Option<Machine>,
}

impl<'a> Workspace<'a> {
    /// For one instruction in one frame; nothing is made before it is needed.
    pub(in crate::engine) fn with(_: &[i64], _: usize, _: Extents, frame: Frame<'a>) -> Self {
        Self { frame, machine: None }
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
        let kernels = Kernels::new(tier);
        if instruction.post.is_empty() {
            return Some(Self { code: None, kernels });
        }
        let mut extents = *extents;
        extents[FIRST_K..].fill(1);
        let analysis = Analysis::new(instruction, &instruction.post, &extents, Some(acc), header)?;
        let space = Space::new(&analysis.extents, false);
        let work = extents.iter().fold(1, |n: i64, &extent| n.saturating_mul(extent));
        let code = compile::compile(instruction, &analysis, space, true, work);
        Some(Self { code: Some(code), kernels })
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
        let machine = workspace.machine.get_or_insert_with(|| Machine::new(code, self.kernels, frame));
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

fn store(kernels: Kernels, dtype: DType, values: Numbers<'_>, bytes: &mut [u8]) {
    match values {
        Numbers::Narrow(values) => kernels.write(bytes, dtype, values),
        Numbers::Wide(values) => kernels.write(bytes, dtype, values),
    }
}
