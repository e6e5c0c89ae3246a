//! Programs for frames.

use flow_table_cli::bpf::Program;

/// Uses the bytes as the text of a program. Then uses them as instructions of eight bytes each, up to one that has
/// no code, and as the frame behind it, and compares the result with that of an interpreter of numbers.
pub fn check(bytes: &[u8]) {
    if let Ok(text) = str::from_utf8(bytes)
        && let Ok(program) = text.parse::<Program>()
    {
        program.matches(bytes, 1_500);
    }

    let (mut instructions, mut frame) = (Vec::new(), bytes);
    while let Some((&[a, b, jump_true, jump_false, c, d, e, f], rest)) = frame.split_first_chunk() {
        frame = rest;
        if [a, b] == [0xff; 2] {
            break;
        }
        let code = u16::from_be_bytes([a, b]);
        instructions.push((code, jump_true, jump_false, u32::from_be_bytes([c, d, e, f])));
    }
    let mut text = format!("{}\n", instructions.len());
    for (code, jump_true, jump_false, k) in &instructions {
        text.push_str(&format!("{code} {jump_true} {jump_false} {k}\n"));
    }
    if let Ok(program) = text.parse::<Program>() {
        let expected = run(&instructions, frame).unwrap_or(0) != 0;
        assert_eq!(program.matches(frame, 1_500), expected, "{text}{frame:?}");
    }
}

/// Runs a valid program, as the manual of `bpf(4)` describes its codes.
fn run(program: &[(u16, u8, u8, u32)], frame: &[u8]) -> Option<u32> {
    let (mut a, mut x, mut memory, mut place) = (0u32, 0u32, [0u32; 16], 0);
    loop {
        let (code, jump_true, jump_false, k) = program[place];
        place += 1;
        let at = |at: Option<u32>, count: usize| {
            let at = at? as usize;
            let bytes = frame.get(at..at.checked_add(count)?)?;
            Some(bytes.iter().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte)))
        };
        let behind = x.checked_add(k);
        let operand = if code & 8 == 0 { k } else { x };
        let mut jump = |holds: bool| place += usize::from(if holds { jump_true } else { jump_false });
        match code {
            0x00 => a = k,
            0x20 => a = at(Some(k), 4)?,
            0x28 => a = at(Some(k), 2)?,
            0x30 => a = at(Some(k), 1)?,
            0x40 => a = at(behind, 4)?,
            0x48 => a = at(behind, 2)?,
            0x50 => a = at(behind, 1)?,
            0x60 => a = memory[k as usize],
            0x80 => a = 1_500,
            0x01 => x = k,
            0x61 => x = memory[k as usize],
            0x81 => x = 1_500,
            0xb1 => x = (at(Some(k), 1)? & 15) * 4,
            0x02 => memory[k as usize] = a,
            0x03 => memory[k as usize] = x,
            0x04 | 0x0c => a = a.wrapping_add(operand),
            0x14 | 0x1c => a = a.wrapping_sub(operand),
            0x24 | 0x2c => a = a.wrapping_mul(operand),
            0x34 | 0x3c => a = a.checked_div(operand)?,
            0x44 | 0x4c => a |= operand,
            0x54 | 0x5c => a &= operand,
            0x64 | 0x6c => a = (u64::from(a) << operand.min(32)) as u32,
            0x74 | 0x7c => a = (u64::from(a) >> operand.min(32)) as u32,
            0x84 => a = 0u32.wrapping_sub(a),
            0x94 | 0x9c => a = a.checked_rem(operand)?,
            0xa4 | 0xac => a ^= operand,
            0x05 => place += k as usize,
            0x15 | 0x1d => jump(a == operand),
            0x25 | 0x2d => jump(a > operand),
            0x35 | 0x3d => jump(a >= operand),
            0x45 | 0x4d => jump(a & operand != 0),
            0x06 => return Some(k),
            0x16 => return Some(a),
            0x07 => x = a,
            0x87 => a = x,
            other => panic!("{other:#x} is no code, and was taken"),
        }
    }
}
