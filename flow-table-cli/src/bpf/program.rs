use std::str::FromStr;

use super::decode::decode;
use super::instruction::{Comparison, Instruction, MEMORY, Operand, Operation, Register, Size, Source};

/// The kernel and libpcap have no longer programs.
const LONGEST: usize = 4_096;

/// A program that says whether a frame is wanted. It ends for every frame: its jumps go forward, and stay inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program(Vec<Instruction>);

/// Why a text is not a program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// The number of instructions is missing, zero, too large, or not that of the lines that follow.
    #[error("a wrong number of instructions")]
    Length,
    /// A line is not an instruction.
    #[error("instruction {0} is unknown")]
    Instruction(usize),
    /// A jump leads out of the program, or the program does not end with a return.
    #[error("instruction {0} leaves the program")]
    Leaves(usize),
}

impl FromStr for Program {
    type Err = ProgramError;

    /// Reads what `tcpdump -ddd` prints: the number of instructions, then for each its code, its two jumps and its
    /// constant.
    fn from_str(text: &str) -> Result<Self, ProgramError> {
        let mut lines = text.lines();
        let count = lines.next().and_then(|line| line.trim().parse::<usize>().ok()).ok_or(ProgramError::Length)?;
        let mut instructions = Vec::new();
        for line in lines {
            let place = instructions.len();
            if place == LONGEST {
                return Err(ProgramError::Length);
            }
            instructions.push(instruction(line).ok_or(ProgramError::Instruction(place))?);
        }
        if instructions.len() != count {
            return Err(ProgramError::Length);
        }
        Self::new(instructions)
    }
}

fn instruction(line: &str) -> Option<Instruction> {
    let mut words = line.split_ascii_whitespace();
    let mut word = || words.next();
    let (code, jump_true, jump_false, k) = (word()?, word()?, word()?, word()?);
    let decoded = decode(code.parse().ok()?, jump_true.parse().ok()?, jump_false.parse().ok()?, k.parse().ok()?);
    decoded.filter(|_| word().is_none())
}

impl Program {
    fn new(instructions: Vec<Instruction>) -> Result<Self, ProgramError> {
        let last = instructions.len().checked_sub(1).ok_or(ProgramError::Length)?;
        for (place, instruction) in instructions.iter().enumerate() {
            let farthest = match *instruction {
                Instruction::ReturnConstant(_) | Instruction::ReturnA => continue,
                Instruction::Jump(skip) => skip,
                Instruction::JumpIf(_, _, a, b) => a.max(b).into(),
                _ => 0,
            };
            if usize::try_from(farthest).map_or(true, |skip| skip >= last - place) {
                return Err(ProgramError::Leaves(place));
            }
        }
        Ok(Self(instructions))
    }

    /// Returns `true` if a frame is wanted, of which these bytes were captured. A frame that is too short for a
    /// load is not.
    pub fn matches(&self, frame: &[u8], wire_len: u32) -> bool {
        let mut machine = Machine { frame, wire_len, a: 0, x: 0, memory: [0; MEMORY] };
        machine.run(&self.0).is_some_and(|result| result != 0)
    }
}

struct Machine<'f> {
    frame: &'f [u8],
    wire_len: u32,
    a: u32,
    x: u32,
    memory: [u32; MEMORY],
}

impl Machine<'_> {
    fn run(&mut self, program: &[Instruction]) -> Option<u32> {
        let mut steps = program.iter();
        loop {
            let skip = match *steps.next()? {
                Instruction::Load(register, source) => {
                    *self.register(register) = self.load(source)?;
                    0
                }
                Instruction::Store(register, slot) => {
                    self.memory[slot] = *self.register(register);
                    0
                }
                Instruction::Calculate(operation, operand) => {
                    self.a = calculate(operation, self.a, self.operand(operand))?;
                    0
                }
                Instruction::Negate => {
                    self.a = self.a.wrapping_neg();
                    0
                }
                Instruction::Jump(skip) => skip as usize,
                Instruction::JumpIf(comparison, operand, yes, no) => {
                    let holds = compare(comparison, self.a, self.operand(operand));
                    usize::from(if holds { yes } else { no })
                }
                Instruction::ReturnConstant(result) => return Some(result),
                Instruction::ReturnA => return Some(self.a),
                Instruction::AToX => {
                    self.x = self.a;
                    0
                }
                Instruction::XToA => {
                    self.a = self.x;
                    0
                }
            };
            if skip > 0 {
                steps.nth(skip - 1)?;
            }
        }
    }

    const fn register(&mut self, register: Register) -> &mut u32 {
        match register {
            Register::A => &mut self.a,
            Register::X => &mut self.x,
        }
    }

    const fn operand(&self, operand: Operand) -> u32 {
        match operand {
            Operand::Constant(k) => k,
            Operand::X => self.x,
        }
    }

    fn load(&self, source: Source) -> Option<u32> {
        Some(match source {
            Source::Constant(k) => k,
            Source::Frame(size, at) => self.bytes(size, at)?,
            Source::FrameAtX(size, behind) => self.bytes(size, self.x.checked_add(behind)?)?,
            Source::Memory(slot) => self.memory[slot],
            Source::Length => self.wire_len,
            Source::HeaderLength(at) => (self.bytes(Size::Byte, at)? & 0x0f) * 4,
        })
    }

    fn bytes(&self, size: Size, at: u32) -> Option<u32> {
        let bytes = self.frame.get(usize::try_from(at).ok()?..)?;
        Some(match size {
            Size::Byte => (*bytes.first()?).into(),
            Size::Half => u16::from_be_bytes(*bytes.first_chunk()?).into(),
            Size::Word => u32::from_be_bytes(*bytes.first_chunk()?),
        })
    }
}

/// Returns nothing for a division by zero, which ends the program.
fn calculate(operation: Operation, a: u32, b: u32) -> Option<u32> {
    Some(match operation {
        Operation::Add => a.wrapping_add(b),
        Operation::Subtract => a.wrapping_sub(b),
        Operation::Multiply => a.wrapping_mul(b),
        Operation::Divide => a.checked_div(b)?,
        Operation::Remainder => a.checked_rem(b)?,
        Operation::Or => a | b,
        Operation::And => a & b,
        Operation::Xor => a ^ b,
        Operation::ShiftLeft => a.checked_shl(b).unwrap_or(0),
        Operation::ShiftRight => a.checked_shr(b).unwrap_or(0),
    })
}

const fn compare(comparison: Comparison, a: u32, b: u32) -> bool {
    match comparison {
        Comparison::Equal => a == b,
        Comparison::Greater => a > b,
        Comparison::GreaterOrEqual => a >= b,
        Comparison::AnyBit => a & b != 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// What tcpdump made of `tcp port 443`.
    const HTTPS: &str = "20\n40 0 0 12\n21 0 6 34525\n48 0 0 20\n21 0 15 6\n40 0 0 54\n21 12 0 443\n40 0 0 56\n\
        21 10 11 443\n21 0 10 2048\n48 0 0 23\n21 0 8 6\n40 0 0 20\n69 6 0 8191\n177 0 0 14\n72 0 0 14\n\
        21 2 0 443\n72 0 0 16\n21 0 1 443\n6 0 0 262144\n6 0 0 0\n";

    /// Ethernet, IPv4 with options, TCP.
    fn frame(protocol: u8, fragment: u16, source: u16, destination: u16) -> Vec<u8> {
        let mut frame = vec![0; 12];
        frame.extend([8, 0, 0x46, 0, 0, 0, 0, 0]);
        frame.extend(fragment.to_be_bytes());
        frame.extend([64, protocol]);
        frame.extend([0; 14]);
        frame.extend(source.to_be_bytes());
        frame.extend(destination.to_be_bytes());
        frame
    }

    #[rstest]
    #[case(frame(6, 0, 1024, 443), true)]
    #[case(frame(6, 0, 443, 1024), true)]
    #[case(frame(6, 0x4000, 443, 1024), true)]
    #[case(frame(6, 1, 443, 1024), false)]
    #[case(frame(17, 0, 443, 1024), false)]
    #[case(frame(6, 0, 80, 1024), false)]
    #[case(frame(6, 0, 80, 443)[..39].to_vec(), false)]
    #[case(Vec::new(), false)]
    fn a_program_of_tcpdump(#[case] frame: Vec<u8>, #[case] wanted: bool) {
        assert_eq!(HTTPS.parse::<Program>().unwrap().matches(&frame, 100), wanted);
    }

    #[rstest]
    #[case("", ProgramError::Length)]
    #[case("0", ProgramError::Length)]
    #[case("2\n6 0 0 1", ProgramError::Length)]
    #[case("1\n6 0 0", ProgramError::Instruction(0))]
    #[case("1\n6 0 0 1 1", ProgramError::Instruction(0))]
    #[case("2\n52 0 0 0\n6 0 0 1", ProgramError::Instruction(0))]
    #[case("2\n2 0 0 16\n6 0 0 1", ProgramError::Instruction(0))]
    #[case("2\n21 1 0 0\n6 0 0 1", ProgramError::Leaves(0))]
    #[case("2\n5 0 0 4294967295\n6 0 0 1", ProgramError::Leaves(0))]
    #[case("2\n6 0 0 1\n4 0 0 1", ProgramError::Leaves(1))]
    fn no_program(#[case] text: &str, #[case] error: ProgramError) {
        assert_eq!(text.parse::<Program>(), Err(error));
    }

    /// The instructions before return A, and whether that is zero.
    #[rstest]
    #[case("0 0 0 7\n4 0 0 4294967289", false)]
    #[case("0 0 0 7\n7 0 0 0\n28 0 0 0", false)]
    #[case("0 0 0 7\n116 0 0 33", false)]
    #[case("0 0 0 7\n148 0 0 4", true)]
    #[case("0 0 0 7\n2 0 0 3\n0 0 0 0\n96 0 0 3", true)]
    #[case("0 0 0 1\n132 0 0 0\n84 0 0 2147483648", true)]
    #[case("128 0 0 0\n20 0 0 100", false)]
    #[case("1 0 0 0\n0 0 0 1\n60 0 0 0", false)]
    #[case("5 0 0 1\n6 0 0 0\n0 0 0 1", true)]
    fn arithmetic(#[case] lines: &str, #[case] wanted: bool) {
        let text = format!("{}\n{lines}\n22 0 0 0", lines.lines().count() + 1);
        assert_eq!(text.parse::<Program>().unwrap().matches(&[], 100), wanted);
    }
}
