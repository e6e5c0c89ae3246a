//! Tests the program as people and scripts use it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rstest::rstest;
use serde_json::Value;

fn loopback() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/loopback.pcap")
}

/// A file that only this test uses.
fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn flow_table(arguments: &[&str], files: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flow-table")).args(arguments).args(files).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

fn json(output: &Output) -> Vec<Value> {
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).expect("an exported file").lines().count()
}

/// A changed copy of the capture.
fn variant(name: &str, change: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
    let mut bytes = fs::read(loopback()).expect("the capture");
    change(&mut bytes);
    let path = scratch(name);
    fs::write(&path, bytes).expect("a scratch file");
    path
}

#[test]
fn the_summary_tells_what_there_is() {
    let output = flow_table(&["replay", "--idle-timeout", "1s"], &[&loopback()]);
    assert!(output.status.success());
    assert_eq!(text(&output.stderr), "");
    let summary = text(&output.stdout);
    for part in [
        "loopback.pcap: pcap, µs, little-endian, Ethernet",
        "417, 234.50 KiB on the wire, over 10.036 s",
        "135 of 417 IP packets, 228.79 KiB; idle timeout 1s; at most 115 live at a time",
        "tcp 110, udp 8, icmp 7, icmpv6 7, sctp 3",
        "idle timeout 132, end of capture 3",
        "packets/s",
    ] {
        assert!(summary.contains(part), "{part} in\n{summary}");
    }
    assert!(!summary.contains("refused") && !summary.contains("skipped"), "{summary}");
}

#[test]
fn json_has_one_object_per_file() {
    let arguments = ["replay", "--json", "--direction", "uni", "--protocols", "l4", "--idle-timeout", "1"];
    let output = flow_table(&arguments, &[&loopback(), &loopback()]);
    assert!(output.status.success());
    let objects = json(&output);
    assert_eq!(objects.len(), 2);
    for object in objects {
        assert_eq!(object["file"], loopback().display().to_string());
        for (name, value) in [
            ("packets", 417),
            ("ip_packets", 417),
            ("flows", 244),
            ("peak_live", 219),
            ("live_at_end", 2),
            ("ip_bytes", 212_812),
            ("wire_bytes", 218_314),
            ("frame_bytes", 240_124),
            ("unselected_packets", 24),
            ("idle_timeout_ns", 1_000_000_000),
        ] {
            assert_eq!(object[name], value, "{name}");
        }
        assert_eq!(object["file_error"], Value::Null);
        assert_eq!(object["cut_off"], false);
    }
}

#[test]
fn a_last_packet_cut_off_is_told_but_no_failure() {
    let cut = variant("cut.pcap", |bytes| bytes.truncate(bytes.len() - 1));
    let export = scratch("cut.tsv");
    let output = flow_table(&["replay", "--json", "--export", export.to_str().unwrap()], &[&cut]);
    assert!(output.status.success());
    let object = &json(&output)[0];
    assert_eq!(object["packets"], 416);
    assert_eq!(object["cut_off"], true);
    let told = text(&output.stderr);
    assert!(told.contains("cut.pcap: record data cut off at byte 385"), "{told}");
    assert_eq!(lines(&export), 129);
}

#[test]
fn what_comes_before_an_error_is_counted_and_exported() {
    let length = fs::metadata(loopback()).expect("the capture").len();
    let bad = variant("bad.pcap", |bytes| bytes.extend([0xff; 16]));
    let export = scratch("bad.csv");
    let arguments = ["replay", "--json", "--format", "csv", "--export", export.to_str().unwrap()];
    let output = flow_table(&arguments, &[&bad]);
    assert_eq!(output.status.code(), Some(1));
    let object = &json(&output)[0];
    assert_eq!((&object["packets"], &object["flows"]), (&417.into(), &129.into()));
    let error = format!("captured length 4294967295 above the limit of 262144 at byte {length}");
    assert_eq!(object["file_error"], error);
    assert_eq!(text(&output.stderr), format!("flow-table: {}: {error}\n", bad.display()));
    assert_eq!(lines(&export), 1 + 129);
}

#[test]
fn a_bad_file_does_not_keep_others_from_being_replayed() {
    let missing = scratch("there-is-no-such-file.pcap");
    let text_file = scratch("text.pcap");
    fs::write(&text_file, "not a capture").expect("a scratch file");
    let export = scratch("others.jsonl");
    let arguments = ["replay", "--format", "jsonl", "--export", export.to_str().unwrap()];
    let output = flow_table(&arguments, &[&missing, &text_file, &loopback()]);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(told.contains("there-is-no-such-file.pcap: cannot open: "), "{told}");
    assert!(told.contains("text.pcap: neither pcap nor pcapng at byte 0"), "{told}");
    assert!(text(&output.stdout).contains("417, 234.50 KiB on the wire"));
    assert_eq!(lines(&export), 129);
}

#[test]
fn refusals_are_shown() {
    let output = flow_table(&["replay", "--capacity", "10", "--idle-timeout", "0"], &[&loopback()]);
    assert!(output.status.success());
    let summary = text(&output.stdout);
    assert!(summary.contains("10 of 417 IP packets"), "{summary}");
    assert!(summary.contains("no idle timeout; at most 10 live at a time"), "{summary}");
    assert!(summary.contains("full at 10 flows: ") && summary.contains(" packets refused"), "{summary}");
}

#[test]
fn an_input_is_not_overwritten() {
    let copy = variant("copy.pcap", |_| ());
    let output = flow_table(&["replay", "--export", copy.to_str().unwrap()], &[&copy]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("would be overwritten"));
    assert_eq!(fs::read(copy).unwrap(), fs::read(loopback()).unwrap());
}

#[test]
fn an_export_that_cannot_be_written_is_an_error() {
    let output = flow_table(&["replay", "--export", env!("CARGO_TARGET_TMPDIR")], &[&loopback()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("flow-table: "));
}

#[rstest]
#[case::no_file(&["replay"])]
#[case::no_command(&[])]
#[case::duration(&["replay", "--idle-timeout", "soon", "x.pcap"])]
#[case::backend(&["replay", "--backend", "other", "x.pcap"])]
#[case::capacity(&["replay", "--capacity", "-1", "x.pcap"])]
#[case::format_of_nothing(&["replay", "--format", "csv", "x.pcap"])]
fn wrong_usage_is_told_with_another_status(#[case] arguments: &[&str]) {
    assert_eq!(flow_table(arguments, &[]).status.code(), Some(2));
}
