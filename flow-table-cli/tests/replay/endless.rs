//! Captures without an end, on a pipe. Whatever they repeat, the program's memory is limited.

use std::fs;
use std::io::{ErrorKind, Write};
use std::process::{Child, Command, Stdio};

use rstest::rstest;

/// More than this much of each stream goes through the pipe.
const STREAM: usize = 48 << 20;
/// The most memory that the program may use, for a block, the interfaces, the buffer and itself.
const MEMORY: usize = 48 << 20;

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = 12 + body.len() as u32;
    [&words(&[kind, length])[..], body, &words(&[length])].concat()
}

fn section() -> Vec<u8> {
    block(0x0a0d_0d0a, &words(&[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]))
}

fn interface(link: u16, options: &[u8]) -> Vec<u8> {
    block(1, &[&words(&[u32::from(link), 0]), options].concat())
}

fn with_interface() -> Vec<u8> {
    [section(), interface(1, &[])].concat()
}

/// Writes `head` and then `unit` again and again. Returns `true` if the program read everything.
fn feed(child: &mut Child, head: &[u8], unit: &[u8]) -> bool {
    let mut pipe = child.stdin.take().expect("a pipe");
    let units = std::iter::repeat_n(unit, STREAM.div_ceil(unit.len()));
    let fed = std::iter::once(head).chain(units).try_for_each(|bytes| pipe.write_all(bytes));
    child.stdin = Some(pipe);
    match fed {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => false,
        Err(error) => panic!("cannot write to the pipe: {error}"),
    }
}

/// The peak resident size of the process, in bytes.
fn peak(process: &Child) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("kibibytes") << 10
}

#[rstest]
#[case::sections(with_interface(), section())]
#[case::sections_with_an_interface(vec![], with_interface())]
#[case::sections_full_of_interfaces(vec![], [section(), interface(1, &[]).repeat(65_536)].concat())]
#[case::options_of_interfaces(vec![], [section(), interface(1, &[0; 12 << 20])].concat())]
#[case::options_of_packets(with_interface(), block(6, &[0; 12 << 20]))]
#[case::packets_of_no_use(with_interface(), block(6, &words(&[0; 5])))]
#[case::names(with_interface(), block(4, &words(&[1, 0x61_6161, 0])))]
#[case::secrets(with_interface(), block(10, &[0; 1 << 20]))]
#[case::custom(with_interface(), block(0x0bad, &[0; 1 << 20]))]
#[case::one_block_of_no_use(
    [section(), words(&[0x0bad, u32::MAX - 3])].concat(),
    vec![0; 1 << 16]
)]
#[cfg_attr(not(target_os = "linux"), ignore = "the peak is read from /proc")]
fn memory_is_bounded_whatever_is_repeated(#[case] head: Vec<u8>, #[case] unit: Vec<u8>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_flow-table"))
        .args(["replay", "/dev/stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program runs");
    let all = feed(&mut child, &head, &unit);
    let peak = peak(&child);
    drop(child.stdin.take());
    child.wait().expect("the program ends");
    assert!(all, "the program has read on");
    assert!(peak < MEMORY, "{} MiB", peak >> 20);
}

#[test]
fn endless_interfaces_are_an_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_flow-table"))
        .args(["replay", "/dev/stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    assert!(!feed(&mut child, &section(), &interface(1, &[])), "the program has read on");
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(output.status.code(), Some(1));
    let offset = 28 + 65_536 * 20;
    let error = format!("flow-table: /dev/stdin: more than 65536 interfaces in a section at byte {offset}\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr), error);
}
