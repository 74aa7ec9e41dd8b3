//! What a client of the `Dispute` contract needs besides its bindings: the names and the packed words of SPEC §8.

use alloy_primitives::{Address, B256, Log, U256, address, keccak256};
use alloy_sol_types::{SolEventInterface, SolValue};

use crate::abi::Dispute::{Claim, DisputeEvents, State, Task, Tier, tierReturn};

/// Where burnt value goes.
pub const BURN: Address = address!("000000000000000000000000000000000000dEaD");
/// The number for "no halt instruction".
pub const NO_HALT: u32 = u32::MAX;
/// Content of the slot of a dispute that is over.
pub const TOMBSTONE: B256 = B256::with_last_byte(1);

/// Name of a task.
#[must_use]
pub fn task_id(task: &Task) -> B256 {
    keccak256(task.abi_encode())
}

/// Name of a claim on a contract of a chain.
#[must_use]
pub fn claim_id(chain: u64, contract: Address, claim: &Claim) -> B256 {
    keccak256((U256::from(chain), contract, claim.clone()).abi_encode())
}

/// Name of a dispute.
#[must_use]
pub fn dispute_id(claim: B256, challenger: Address, nonce: u16) -> B256 {
    keccak256((claim, challenger, nonce).abi_encode())
}

/// What a dispute's slot holds while it is open.
#[must_use]
pub fn state_hash(state: &State) -> B256 {
    keccak256(state.abi_encode())
}

/// The dispute and the state that an event leaves it in; `None` if the event leaves none.
#[must_use]
pub fn state_after(log: &Log) -> Option<(B256, State)> {
    match DisputeEvents::decode_log(log).ok()?.data {
        DisputeEvents::Challenged(event) => Some((event.disputeId, event.state)),
        DisputeEvents::Selected(event) => Some((event.disputeId, event.state)),
        DisputeEvents::Revealed(event) => Some((event.disputeId, event.state)),
        DisputeEvents::LeafRevealed(event) => Some((event.disputeId, event.state)),
        DisputeEvents::PartialsRevealed(event) => Some((event.disputeId, event.state)),
        DisputeEvents::Falsified(event) => Some((event.disputeId, event.state)),
        _ => None,
    }
}

/// Kinds of position (SPEC §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// Trace node with revealed children.
    TraceOpen,
    /// Trace node to be revealed.
    TraceHidden,
    /// Tensor node with revealed children.
    TensorOpen,
    /// Tensor node to be revealed.
    TensorHidden,
    /// Revealed leaf of a tensor.
    Leaf,
    /// Header of an empty tensor.
    Empty,
    /// Element to be cut into partials.
    Element,
    /// Slice to be cut into partials.
    Slice,
    /// Element with partials.
    ElementPartials,
    /// Slice with partials.
    SlicePartials,
}

impl Kind {
    const ALL: [Self; 10] = [
        Self::TraceOpen,
        Self::TraceHidden,
        Self::TensorOpen,
        Self::TensorHidden,
        Self::Leaf,
        Self::Empty,
        Self::Element,
        Self::Slice,
        Self::ElementPartials,
        Self::SlicePartials,
    ];

    /// The kind of a code; `None` beyond 9.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// The code.
    #[must_use]
    pub fn code(self) -> u8 {
        Self::ALL.iter().zip(0..).find_map(|(&kind, code)| (kind == self).then_some(code)).unwrap_or(u8::MAX)
    }

    /// Whether the submitter is on turn.
    #[must_use]
    pub const fn submitter_turn(self) -> bool {
        matches!(self, Self::TraceHidden | Self::TensorHidden | Self::Element | Self::Slice)
    }
}

/// A dispute's state with its words taken apart. Times in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The disputed claim.
    pub claim_id: B256,
    /// Hash of the disputed node, or of the partials; 0 where there is none.
    pub node: B256,
    /// The dispute's challenger, and payee.
    pub challenger: Address,
    /// Time left to the submitter.
    pub budget_s: u64,
    /// Time left to the challenger.
    pub budget_c: u64,
    /// Number of moves so far; 0 while no move was made, in which case the trace may still be closed.
    pub version: u16,
    /// When the present turn began or begins.
    pub turn_start: u64,
    /// Block of the last move.
    pub turn_block: u64,
    /// Block of the challenge.
    pub open_block: u64,
    /// Free time of each turn.
    pub delay: u32,
    /// Blocks that must pass before a player is late.
    pub min_blocks: u16,
    /// Weight of the challenger's moves so far.
    pub weight: u32,
    /// The challenger's number for the dispute.
    pub nonce: u16,
    /// Weight of a select.
    pub weight_select: u16,
    /// Levels of a step down.
    pub arity_log2: u8,
    /// Kind of position.
    pub kind: Kind,
    /// Height of the disputed node.
    pub height: u8,
    /// Trace leaf of the disputed tensor.
    pub leaf: u64,
    /// Index of the disputed node at its height.
    pub index: u64,
    /// Leaves of the tree walked in.
    pub leaves: u64,
    /// Elements of the disputed tensor.
    pub elements: u64,
    /// Type of the disputed tensor.
    pub dtype: u8,
    /// The disputed element.
    pub e: u64,
    /// Reducer of its instruction.
    pub reducer: u8,
    /// The disputed element's value, or the disputed slice's partial.
    pub value: i128,
    /// First disputed term.
    pub k0: u64,
    /// End of the disputed terms.
    pub k1: u64,
}

impl Position {
    /// Takes a state apart; `None` if its kind is none.
    #[must_use]
    pub fn unpack(state: &State) -> Option<Self> {
        let State { players, clock, place, range, .. } = *state;
        Some(Self {
            claim_id: state.claimId,
            node: state.node,
            challenger: Address::from_word(B256::from(players >> 96)),
            budget_s: field(players, 56, 40),
            budget_c: field(players, 16, 40),
            version: players.wrapping_to(),
            turn_start: field(clock, 216, 40),
            turn_block: field(clock, 176, 40),
            open_block: field(clock, 136, 40),
            delay: (clock >> 104_u32).wrapping_to(),
            min_blocks: (clock >> 88_u32).wrapping_to(),
            weight: (clock >> 56_u32).wrapping_to(),
            nonce: (clock >> 40_u32).wrapping_to(),
            weight_select: (clock >> 24_u32).wrapping_to(),
            arity_log2: (clock >> 16_u32).wrapping_to(),
            kind: Kind::from_code((clock >> 8_u32).wrapping_to())?,
            height: clock.wrapping_to(),
            leaf: field(place, 208, 48),
            index: field(place, 160, 48),
            leaves: field(place, 112, 48),
            elements: field(place, 64, 48),
            dtype: (place >> 56_u32).wrapping_to(),
            e: field(place, 8, 48),
            reducer: place.wrapping_to(),
            value: (range >> 128_u32).wrapping_to::<u128>().cast_signed(),
            k0: field(range, 64, 64),
            k1: field(range, 0, 64),
        })
    }

    /// The packed state.
    #[must_use]
    pub fn pack(&self) -> State {
        let players = U256::from_be_bytes(self.challenger.into_word().0) << 96
            | word(self.budget_s, 56)
            | word(self.budget_c, 16)
            | U256::from(self.version);
        let clock = word(self.turn_start, 216)
            | word(self.turn_block, 176)
            | word(self.open_block, 136)
            | word(self.delay, 104)
            | word(self.min_blocks, 88)
            | word(self.weight, 56)
            | word(self.nonce, 40)
            | word(self.weight_select, 24)
            | word(self.arity_log2, 16)
            | word(self.kind.code(), 8)
            | U256::from(self.height);
        let place = word(self.leaf, 208)
            | word(self.index, 160)
            | word(self.leaves, 112)
            | word(self.elements, 64)
            | word(self.dtype, 56)
            | word(self.e, 8)
            | U256::from(self.reducer);
        let range = U256::from(self.value.cast_unsigned()) << 128 | word(self.k0, 64) | U256::from(self.k1);
        State { claimId: self.claim_id, node: self.node, players, clock, place, range }
    }

    /// Name of the dispute.
    #[must_use]
    pub fn dispute_id(&self) -> B256 {
        dispute_id(self.claim_id, self.challenger, self.nonce)
    }

    /// The position in which the challenger has its first turn, once the claim's trace is open; later positions are as they are.
    #[must_use]
    pub fn resolved(self, claim: &ClaimSlot, trace_root: B256) -> Self {
        if self.version != 0 || claim.stage != Stage::Opened {
            return self;
        }
        Self {
            node: trace_root,
            leaves: claim.leaves,
            height: u8::try_from(claim.leaves.next_power_of_two().ilog2()).unwrap_or(u8::MAX),
            turn_start: self.turn_start.max(claim.stage_at),
            turn_block: self.turn_block.max(claim.stage_block),
            ..self
        }
    }

    /// Time left to the player on turn.
    #[must_use]
    pub const fn budget(&self) -> u64 {
        if self.kind.submitter_turn() { self.budget_s } else { self.budget_c }
    }

    /// Time of the present turn beyond its free delay.
    #[must_use]
    pub fn charge(&self, now: u64) -> u64 {
        now.saturating_sub(self.turn_start.saturating_add(self.delay.into()))
    }

    /// Whether the player on turn has lost by time.
    #[must_use]
    pub fn late(&self, now: u64, block: u64) -> bool {
        self.charge(now) > self.budget() && block >= self.turn_block.saturating_add(self.min_blocks.into())
    }
}

/// What has become of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// There is no such claim.
    None,
    /// It may be challenged, or is disputed.
    Pending,
    /// It stands for ever.
    Final,
    /// It has fallen.
    False,
}

/// How far a claim's trace is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nobody asked for it.
    Undisputed,
    /// The submitter has to open it.
    Awaited,
    /// Its root is known.
    Opened,
    /// Of a false claim: a proof showed that the opened trace contradicts itself.
    Refuted,
}

/// A claim's slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimSlot {
    /// What has become of it.
    pub status: Status,
    /// How far its trace is.
    pub stage: Stage,
    /// Tier.
    pub tier: u8,
    /// Open disputes.
    pub open: u64,
    /// Weight of the open disputes; of a false claim, of those that were open when it fell.
    pub weight: u64,
    /// Leaves of the trace.
    pub leaves: u64,
    /// When it was made; 0 of a false claim.
    pub claimed_at: u64,
    /// When it was first challenged, or its trace opened; 0 of a false claim.
    pub stage_at: u64,
    /// Block of that.
    pub stage_block: u64,
    /// Of a false claim, wei of the pot paid so far.
    pub paid: u128,
}

impl ClaimSlot {
    /// Takes the slot apart.
    #[must_use]
    pub fn unpack(slot: U256) -> Self {
        let status = match field(slot, 252, 4) {
            0 => Status::None,
            1 => Status::Pending,
            2 => Status::Final,
            _ => Status::False,
        };
        let stage = match field(slot, 248, 4) {
            0 => Stage::Undisputed,
            1 => Stage::Awaited,
            2 => Stage::Opened,
            _ => Stage::Refuted,
        };
        let fallen = status == Status::False;
        let time = |at| if fallen { 0 } else { field(slot, at, 40) };
        Self {
            status,
            stage,
            tier: (slot >> 240_u32).wrapping_to(),
            open: field(slot, 200, 40),
            weight: field(slot, 160, 40),
            leaves: field(slot, 120, 40) + 1,
            claimed_at: time(80),
            stage_at: time(40),
            stage_block: time(0),
            paid: if fallen { (slot & mask(120)).wrapping_to() } else { 0 },
        }
    }
}

/// Sizes of a model, and of a task with its `maxT` and tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Instructions `N`.
    pub instructions: u32,
    /// Constants.
    pub constants: u32,
    /// Inputs.
    pub inputs: u32,
    /// Number of the output instruction.
    pub output: u32,
    /// Number of the halt instruction, or [`NO_HALT`].
    pub halt: u32,
    /// Longest run; 0 of a model.
    pub max_t: u64,
    /// Tier; 0 of a model.
    pub tier: u8,
}

impl Sizes {
    /// Takes a header apart.
    #[must_use]
    pub fn unpack(header: U256) -> Self {
        Self {
            instructions: (header >> 128_u32).wrapping_to(),
            constants: (header >> 96_u32).wrapping_to(),
            inputs: (header >> 64_u32).wrapping_to(),
            output: (header >> 32_u32).wrapping_to(),
            halt: header.wrapping_to(),
            max_t: field(header, 160, 48),
            tier: (header >> 208_u32).wrapping_to(),
        }
    }
}

/// Takes a tier's packed parameters apart.
#[must_use]
pub fn unpack_tier(answer: &tierReturn) -> Tier {
    let (times, bonds) = (answer._0, answer._1);
    Tier {
        window: (times >> 224_u32).wrapping_to(),
        budget: (times >> 192_u32).wrapping_to(),
        traceTime: (times >> 160_u32).wrapping_to(),
        delay: (times >> 128_u32).wrapping_to(),
        rootWindow: (times >> 96_u32).wrapping_to(),
        minBlocks: (times >> 80_u32).wrapping_to(),
        burnS: (times >> 64_u32).wrapping_to(),
        burnC: (times >> 48_u32).wrapping_to(),
        weightOpen: (times >> 32_u32).wrapping_to(),
        weightSelect: (times >> 16_u32).wrapping_to(),
        weightProve: times.wrapping_to(),
        arityLog2: (bonds >> 192_u32).wrapping_to(),
        bondS: ((bonds >> 96_u32) & mask(96)).wrapping_to(),
        bondC: (bonds & mask(96)).wrapping_to(),
    }
}

fn mask(bits: usize) -> U256 {
    (U256::from(1) << bits) - U256::from(1)
}

/// A field of at most 64 bits with `low` bits below it.
fn field(word: U256, low: usize, bits: usize) -> u64 {
    ((word >> low) & mask(bits)).wrapping_to()
}

/// A field's value, shifted to its place.
fn word(value: impl Into<u64>, low: usize) -> U256 {
    U256::from(value.into()) << low
}
