/// Words of memory.
pub(super) const MEMORY: usize = 16;

/// How much of a frame is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    Byte,
    Half,
    Word,
}

/// What is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Constant(u32),
    /// From this place of the frame.
    Frame(Size, u32),
    /// From the place that X says, and this much behind it.
    FrameAtX(Size, u32),
    Memory(usize),
    /// The frame's length on the wire.
    Length,
    /// The length of the IPv4 header that begins here.
    HeaderLength(u32),
}

/// A register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Register {
    A,
    X,
}

/// What A is calculated or compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    Constant(u32),
    X,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Or,
    And,
    Xor,
    ShiftLeft,
    ShiftRight,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Greater,
    GreaterOrEqual,
    AnyBit,
}

/// One step of a program. Jumps say how many instructions are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instruction {
    Load(Register, Source),
    Store(Register, usize),
    Calculate(Operation, Operand),
    Negate,
    Jump(u32),
    JumpIf(Comparison, Operand, u8, u8),
    ReturnConstant(u32),
    ReturnA,
    AToX,
    XToA,
}
