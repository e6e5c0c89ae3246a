use super::instruction::{Comparison, Instruction, MEMORY, Operand, Operation, Register, Size, Source};

/// Decodes an instruction, if there is such a one.
pub(super) fn decode(code: u16, jump_true: u8, jump_false: u8, k: u32) -> Option<Instruction> {
    let operand = if code & 0x08 == 0 { Operand::Constant(k) } else { Operand::X };
    let slot = usize::try_from(k).ok().filter(|slot| *slot < MEMORY);
    Some(match code & 0x07 {
        0 => Instruction::Load(Register::A, load(code, k)?),
        1 => Instruction::Load(Register::X, load_x(code, k)?),
        2 if code == 0x02 => Instruction::Store(Register::A, slot?),
        3 if code == 0x03 => Instruction::Store(Register::X, slot?),
        4 if code & !0xff == 0 => match operation(code) {
            Some(Operation::Divide | Operation::Remainder) if operand == Operand::Constant(0) => return None,
            Some(operation) => Instruction::Calculate(operation, operand),
            None if code == 0x84 => Instruction::Negate,
            None => return None,
        },
        5 if code == 0x05 => Instruction::Jump(k),
        5 => Instruction::JumpIf(comparison(code)?, operand, jump_true, jump_false),
        6 if code == 0x06 => Instruction::ReturnConstant(k),
        6 if code == 0x16 => Instruction::ReturnA,
        7 if code == 0x07 => Instruction::AToX,
        7 if code == 0x87 => Instruction::XToA,
        _ => return None,
    })
}

fn load(code: u16, k: u32) -> Option<Source> {
    let size = match code & 0x18 {
        0x00 => Size::Word,
        0x08 => Size::Half,
        0x10 => Size::Byte,
        _ => return None,
    };
    match (code & !0x1f, size) {
        (0x20, size) => Some(Source::Frame(size, k)),
        (0x40, size) => Some(Source::FrameAtX(size, k)),
        (_, Size::Word) => plain(code, k),
        _ => None,
    }
}

fn load_x(code: u16, k: u32) -> Option<Source> {
    match code {
        0xb1 => Some(Source::HeaderLength(k)),
        _ => plain(code, k),
    }
}

/// What both registers can be loaded with.
fn plain(code: u16, k: u32) -> Option<Source> {
    match code & !0x07 {
        0x00 => Some(Source::Constant(k)),
        0x60 => Some(Source::Memory(usize::try_from(k).ok().filter(|slot| *slot < MEMORY)?)),
        0x80 => Some(Source::Length),
        _ => None,
    }
}

const fn operation(code: u16) -> Option<Operation> {
    Some(match code & 0xf0 {
        0x00 => Operation::Add,
        0x10 => Operation::Subtract,
        0x20 => Operation::Multiply,
        0x30 => Operation::Divide,
        0x40 => Operation::Or,
        0x50 => Operation::And,
        0x60 => Operation::ShiftLeft,
        0x70 => Operation::ShiftRight,
        0x90 => Operation::Remainder,
        0xa0 => Operation::Xor,
        _ => return None,
    })
}

const fn comparison(code: u16) -> Option<Comparison> {
    Some(match code & !0x0f {
        0x10 => Comparison::Equal,
        0x20 => Comparison::Greater,
        0x30 => Comparison::GreaterOrEqual,
        0x40 => Comparison::AnyBit,
        _ => return None,
    })
}
