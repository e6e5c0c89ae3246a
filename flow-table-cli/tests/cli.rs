//! Tests the program as people and scripts use it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rstest::rstest;
use serde_json::Value;

fn loopback() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/loopback.pcap")
}

/// A file that only this test uses, and that does not exist.
fn scratch(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_file(&path);
    path
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
        "tcp 110 flows, udp 8, icmp 7, icmpv6 7, sctp 3",
        "idle timeout 132, end of capture 3",
        "packets/s in ",
        "in the table alone",
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
    assert_eq!(told.lines().count(), 2, "each problem is told once");
    assert!(!text(&output.stdout).contains("text.pcap"));
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
#[case::filter(&["replay", "--filter", "tcp and", "x.pcap"])]
#[case::filter_of_packets(&["replay", "--filter", "bytes > 5", "x.pcap"])]
#[case::no_expression_of_libpcap(&["replay", "--bpf", "tcp porty", "x.pcap"])]
#[case::no_configuration(&["replay", "--config", "not-there.toml", "x.pcap"])]
#[case::color(&["replay", "--color", "sometimes", "x.pcap"])]
#[case::too_deep(&["replay", "--tunnels", "9", "x.pcap"])]
fn wrong_usage_is_told_with_another_status(#[case] arguments: &[&str]) {
    assert_eq!(flow_table(arguments, &[]).status.code(), Some(2));
}

#[test]
fn options_come_from_a_file_unless_the_command_line_has_them() {
    let (config, export) = (scratch("options.toml"), scratch("configured.csv"));
    let toml = format!("idle-timeout = 1\njson = true\n[replay]\nexport = '{}'\n", export.display());
    fs::write(&config, toml).unwrap();
    let config = config.to_str().unwrap();
    for (arguments, flows) in [
        (&["--config", config, "replay"][..], 135),
        (&["replay", "--config", config], 135),
        (&["replay", "--idle-timeout", "60s", "--config", config], 129),
    ] {
        let output = flow_table(arguments, &[&loopback()]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(json(&output)[0]["flows"], flows);
        assert_eq!(lines(&export), flows + 1);
    }
}

#[test]
fn problems_are_json_on_request() {
    let output = flow_table(&["replay", "--log-format", "json"], &[Path::new("not-there.pcap")]);
    assert_eq!(output.status.code(), Some(1));
    let line: Value = serde_json::from_str(text(&output.stderr)).unwrap();
    assert_eq!(line["level"], "error");
    assert!(line["message"].as_str().unwrap().starts_with("not-there.pcap: cannot open: "), "{line}");
    assert!(line["time"].as_str().unwrap().ends_with('Z'), "{line}");

    let output = flow_table(&["replay", "--log-format", "json", "--export", "/not/there"], &[&loopback()]);
    let line: Value = serde_json::from_str(text(&output.stderr)).unwrap();
    assert!(line["message"].as_str().unwrap().starts_with("/not/there: "), "{line}");
}

/// Starts the program with a pipe as standard input.
fn start(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_flow-table"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs")
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}

#[rstest]
#[case::plain(fs::read(loopback()).unwrap())]
#[case::compressed(gzipped(&fs::read(loopback()).unwrap()))]
fn standard_input_is_a_capture(#[case] bytes: Vec<u8>) {
    let mut child = start(&["replay", "--idle-timeout", "1s", "-"]);
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(text(&output.stdout).contains("135 of 417 IP packets"), "{}", text(&output.stdout));
}

#[test]
fn records_go_to_standard_output_and_the_summary_to_standard_error() {
    for name in ["-", "/dev/stdout"] {
        let output = flow_table(&["replay", "--idle-timeout", "1s", "--export", name], &[&loopback()]);
        assert!(output.status.success());
        assert_eq!(text(&output.stdout).lines().filter(|line| line.split('\t').count() == 10).count(), 135);
        assert_eq!(text(&output.stdout).lines().count(), 135);
        assert!(text(&output.stderr).contains("135 of 417 IP packets"));
    }
}

#[test]
fn merged_captures_are_one() {
    let (first, second) = (variant("merge-a.pcap", |_| ()), variant("merge-b.pcap", |_| ()));
    let output = flow_table(&["replay", "--merge", "--json", "--idle-timeout", "1s"], &[&first, &second]);
    assert!(output.status.success());
    let objects = json(&output);
    assert_eq!(objects.len(), 1);
    assert_eq!((&objects[0]["packets"], &objects[0]["flows"]), (&834.into(), &135.into()));
    let missing = scratch("merge-missing.pcap");
    let output = flow_table(&["replay", "--merge", "--json", "--idle-timeout", "1s"], &[&first, &missing]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(json(&output)[0]["packets"], 417);
    assert!(text(&output.stderr).contains("merge-missing.pcap: cannot open"));
}

#[test]
fn packets_out_of_order_are_counted_and_can_be_sorted() {
    // Exchanges the first two packets, which have different times.
    let swapped = variant("swapped.pcap", |bytes| {
        let length = |at: usize| 16 + u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
        let first = length(24);
        let both = first + length(24 + first);
        bytes[24..24 + both].rotate_left(first);
    });
    let output = flow_table(&["replay"], &[&swapped]);
    assert!(text(&output.stdout).contains("1 packet earlier than one before"), "{}", text(&output.stdout));
    let output = flow_table(&["replay", "--sort-window", "5s", "--json"], &[&swapped]);
    assert_eq!(json(&output)[0]["out_of_order"], 0);
    assert!(json(&output)[0]["format"].as_str().unwrap().ends_with(", sorted"));
}

#[test]
fn a_reader_of_records_that_goes_away_ends_the_program_quietly() {
    let mut child = start(&["replay", "--export", "-", "-"]);
    drop(child.stdout.take());
    child.stdin.take().unwrap().write_all(&fs::read(loopback()).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(!text(&output.stderr).contains("Broken pipe"), "{}", text(&output.stderr));
}

/// Waits until a condition holds that another process brings about.
#[cfg(unix)]
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..600 {
        if holds() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("not within half a minute: {what}");
}

#[cfg(unix)]
fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill runs");
    assert!(status.success());
}

/// A pipe stays open while the program is asked for a summary, and then told to end.
#[cfg(unix)]
#[rstest]
#[case("-INT", 130)]
#[case("-TERM", 143)]
fn signals_print_and_end(#[case] name: &str, #[case] code: i32) {
    let export = scratch(&format!("signal{name}.tsv"));
    let mut child = start(&["replay", "--idle-timeout", "1s", "--export", export.to_str().unwrap(), "-"]);
    child.stdin.as_mut().unwrap().write_all(&fs::read(loopback()).unwrap()).unwrap();
    // Flows that have ended are in the file although the pipe is open.
    wait_until("records are flushed", || export.is_file() && lines(&export) == 132);
    signal(&child, "-USR1");
    let mut told = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("132 of 417 IP packets") {
        assert_ne!(told.read_line(&mut line).unwrap(), 0, "{line}");
    }
    signal(&child, name);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(code));
    assert!(text(&output.stdout).contains("135 of 417 IP packets"), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("before the end of the capture"), "{}", text(&output.stdout));
    assert_eq!(lines(&export), 135);
}

#[cfg(unix)]
#[test]
fn a_file_that_grows_is_followed() {
    let whole = fs::read(loopback()).unwrap();
    let (first, rest) = whole.split_at(20_001);
    let growing = scratch("growing.pcap");
    fs::write(&growing, first).unwrap();
    let export = scratch("growing.tsv");
    let arguments = ["replay", "--follow", "--idle-timeout", "1s", "--export", export.to_str().unwrap()];
    let child = start(&[&arguments[..], &[growing.to_str().unwrap()]].concat());
    wait_until("the program has opened its files", || export.is_file());
    fs::OpenOptions::new().append(true).open(&growing).unwrap().write_all(rest).unwrap();
    wait_until("all records that have ended", || lines(&export) == 132);
    signal(&child, "-INT");
    let output = child.wait_with_output().unwrap();
    assert!(text(&output.stdout).contains("135 of 417 IP packets"), "{}", text(&output.stdout));
}

#[test]
fn filters_select_packets_and_records() {
    let arguments = ["replay", "--json", "--idle-timeout", "1s", "--filter", "tcp", "--where", "packets > 4"];
    let output = flow_table(&arguments, &[&loopback()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let object = &json(&output)[0];
    let tcp = &object["flows_by_protocol"];
    assert_eq!(tcp.as_object().unwrap().len(), 1, "{tcp}");
    let (kept, dropped) = (object["flows"].as_u64().unwrap(), object["dropped_flows"].as_u64().unwrap());
    assert_eq!(kept + dropped, 110);
    assert!(kept > 0 && dropped > 0);
    assert!(object["largest_flows"].as_array().unwrap().iter().all(|flow| flow["packets"].as_u64() > Some(4)));
}

#[test]
fn groups_of_flows_add_up() {
    let arguments =
        ["replay", "--json", "--idle-timeout", "1s", "--aggregate", "proto,src", "--by", "flows", "--top", "1000"];
    let object = &json(&flow_table(&arguments, &[&loopback()]))[0];
    let groups = object["groups"].as_array().unwrap();
    let sum = |name: &str| groups.iter().map(|group| group[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("flows"), sum("packets"), sum("ip_bytes")), (135, 417, 234_286));
    let flows: Vec<_> = groups.iter().map(|group| group["flows"].as_u64().unwrap()).collect();
    assert!(groups.len() > 4 && flows.is_sorted_by(|a, b| a >= b), "{flows:?}");
    assert!(groups[0]["group"].as_str().unwrap().starts_with("src "));
}

#[rstest]
#[case::size(&["--rotate-size", "1000"])]
#[case::time(&["--rotate-time", "1s"])]
fn files_rotate_and_lose_nothing(#[case] rotation: &[&str]) {
    let folder = scratch(&format!("rotate{}", rotation[0]));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    let export = folder.join("flows.csv");
    let arguments = ["replay", "--idle-timeout", "1s", "--export", export.to_str().unwrap()];
    assert!(flow_table(&[&arguments[..], rotation].concat(), &[&loopback()]).status.success());
    let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert!(names.len() > 1, "{names:?}");
    assert!(names[0].ends_with("flows.00001.csv"));
    let headers = names.len();
    assert_eq!(names.iter().map(|name| lines(name)).sum::<usize>(), 135 + headers);
}

#[test]
fn a_report_is_a_page_without_addresses_of_others() {
    let page = scratch("report.html");
    let output = flow_table(&["replay", "--report", page.to_str().unwrap()], &[&loopback(), &loopback()]);
    assert!(output.status.success());
    let page = fs::read_to_string(page).unwrap();
    let start = page.find("const captures = ").unwrap() + "const captures = ".len();
    let data: Value = serde_json::from_str(page[start..].lines().next().unwrap().trim_end_matches(';')).unwrap();
    assert_eq!(data.as_array().unwrap().len(), 2);
    assert_eq!(data[0]["list"].as_array().unwrap().len(), 129);
    let bins = data[0]["bins"].as_array().unwrap();
    assert_eq!(bins.iter().map(|bin| bin[0].as_u64().unwrap()).sum::<u64>(), 417);
    // The only address is the name of a vocabulary.
    let addresses: Vec<_> = page.match_indices("://").map(|(at, _)| &page[at - 4..at + 20]).collect();
    assert_eq!(addresses, ["http://www.w3.org/2000/s"]);
}

/// A data record by what its template says: a list of enterprise, element and value.
type DataRecord = Vec<(u32, u16, u128)>;

/// The enterprise, element and length of the fields of each template.
type Templates = std::collections::BTreeMap<u128, Vec<(u32, u16, usize)>>;

fn number(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte))
}

/// Reads a set, and returns the number of its records.
fn set(id: u128, mut set: &[u8], templates: &mut Templates, records: &mut Vec<DataRecord>) -> usize {
    let mut count = 0;
    // What is shorter than any record is padding.
    while set.len() > 3 {
        count += 1;
        let mut take = |count: usize| {
            let (taken, behind) = set.split_at(count);
            set = behind;
            number(taken)
        };
        if id < 256 {
            let (template, fields) = (take(2), take(2));
            let field = |_| {
                let (element, length) = (take(2) as u16, take(2) as usize);
                let enterprise = if element & 0x8000 == 0 { 0 } else { take(4) as u32 };
                (enterprise, element & 0x7fff, length)
            };
            templates.insert(template, (0..fields).map(field).collect());
        } else {
            let fields = templates[&id].iter();
            records.push(fields.map(|(pen, element, length)| (*pen, *element, take(*length))).collect());
        }
    }
    count
}

/// The data records of IPFIX messages.
fn ipfix(bytes: &[u8]) -> Vec<DataRecord> {
    let (mut templates, mut records, mut rest) = (Templates::new(), Vec::new(), bytes);
    while !rest.is_empty() {
        assert_eq!(number(&rest[..2]), 10, "the version");
        let (message, behind) = rest.split_at(number(&rest[2..4]) as usize);
        assert_eq!(number(&message[8..12]), records.len() as u128, "the sequence counts records");
        let mut sets = &message[16..];
        while !sets.is_empty() {
            let (this, others) = sets.split_at(number(&sets[2..4]) as usize);
            set(number(&this[..2]), &this[4..], &mut templates, &mut records);
            sets = others;
        }
        rest = behind;
    }
    records
}

/// The data records of NetFlow 9 messages, which say how many records they have, and not how long they are.
fn netflow9(bytes: &[u8]) -> Vec<DataRecord> {
    let (mut templates, mut records, mut rest) = (Templates::new(), Vec::new(), bytes);
    for sequence in 0.. {
        if rest.is_empty() {
            break;
        }
        assert_eq!(number(&rest[..2]), 9, "the version");
        assert_eq!(number(&rest[12..16]), sequence, "the sequence counts messages");
        let mut left = number(&rest[2..4]) as usize;
        rest = &rest[20..];
        while left > 0 {
            let (this, others) = rest.split_at(number(&rest[2..4]) as usize);
            assert!(this.len().is_multiple_of(4), "sets are padded");
            left -= set(number(&this[..2]), &this[4..], &mut templates, &mut records);
            rest = others;
        }
    }
    records
}

#[test]
fn ipfix_has_what_tsv_has() {
    let (export, tsv) = (scratch("flows.ipfix"), scratch("ipfix.tsv"));
    for path in [&export, &tsv] {
        let arguments = ["replay", "--idle-timeout", "1s", "--orient", "syn", "--export", path.to_str().unwrap()];
        assert!(flow_table(&arguments, &[&loopback()]).status.success());
    }
    const REVERSE: u32 = 29305;
    let mut found = Vec::new();
    for record in ipfix(&fs::read(export).unwrap()) {
        let value = |pen: u32, element: u16| {
            record.iter().find(|(p, e, _)| (*p, *e) == (pen, element)).map(|(_, _, value)| *value)
        };
        let address = |v4: u16, v6: u16| match (value(0, v4), value(0, v6)) {
            (Some(bits), None) => std::net::IpAddr::from(std::net::Ipv4Addr::from_bits(bits as u32)),
            (None, Some(bits)) => std::net::IpAddr::from(std::net::Ipv6Addr::from_bits(bits)),
            other => panic!("{other:?}"),
        };
        let both = |element: u16| value(0, element).unwrap() + value(REVERSE, element).unwrap();
        let [proto, sport, dport] = [4, 7, 11].map(|element| value(0, element).unwrap());
        let (src, dst) = (address(8, 27), address(12, 28));
        let last = value(0, 153).max(value(REVERSE, 153)).unwrap();
        found.push(format!("{src}\t{dst}\t{proto}\t{sport}\t{dport}\t{last}\t{}\t{}", both(2), both(1)));
        assert!((1..=4).contains(&value(0, 136).unwrap()), "the reason of the end");
    }
    let expected = fs::read_to_string(tsv).unwrap();
    let mut expected: Vec<_> = expected
        .lines()
        .map(|line| {
            let mut columns: Vec<_> = line.split('\t').map(str::to_owned).collect();
            let milliseconds = columns[6].len() - 6;
            columns[6].truncate(milliseconds);
            columns.remove(5);
            columns.truncate(8);
            columns.join("\t")
        })
        .collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_collector_gets_datagrams_that_fit_into_frames() {
    let collector = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    collector.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let target = format!("udp://{}", collector.local_addr().unwrap());
    let output = flow_table(&["replay", "--idle-timeout", "1s", "--export", &target], &[&loopback()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "", "nothing is lost");
    let (mut messages, mut space) = (Vec::new(), [0; 2_000]);
    while messages.is_empty() || ipfix(&messages).len() < 135 {
        let count = collector.recv(&mut space).expect("another message");
        assert!(count <= 1_400);
        messages.extend(&space[..count]);
    }
}

/// Source, destination, ports, protocol, packets and bytes of each direction that has packets, sorted.
type Directions = Vec<(std::net::IpAddr, std::net::IpAddr, [u64; 5])>;

fn directions_of_csv(path: &Path) -> Directions {
    let mut rows = csv::Reader::from_path(path).unwrap();
    let header = rows.headers().unwrap().clone();
    let mut found = Vec::new();
    for row in rows.records() {
        let row = row.unwrap();
        let value = |name: &str| &row[header.iter().position(|column| column == name).unwrap()];
        let number = |name: &str| value(name).parse::<u64>().unwrap();
        for (from, to) in [("src", "dst"), ("dst", "src")] {
            let [packets, bytes] = ["packets", "ip_bytes"].map(|what| number(&format!("{from}_{what}")));
            if packets > 0 {
                let [sport, dport] = [from, to].map(|end| number(&format!("{}port", &end[..1])));
                let ends = [from, to].map(|end| value(end).parse().unwrap());
                found.push((ends[0], ends[1], [sport, dport, number("proto"), packets, bytes]));
            }
        }
    }
    found.sort();
    found
}

fn directions_of_netflow9(messages: &[u8]) -> Directions {
    let direction = |record: &DataRecord| {
        let value = |element: u16| record.iter().find(|(_, e, _)| *e == element).map(|(_, _, value)| *value);
        let address = |v4: u16, v6: u16| match value(v4) {
            Some(bits) => std::net::Ipv4Addr::from_bits(bits as u32).into(),
            None => std::net::Ipv6Addr::from_bits(value(v6).unwrap()).into(),
        };
        assert!(value(152).unwrap() <= value(153).unwrap(), "the start is before the end");
        (address(8, 27), address(12, 28), [7, 11, 4, 2, 1].map(|element| value(element).unwrap() as u64))
    };
    let mut found: Vec<_> = netflow9(messages).iter().map(direction).collect();
    found.sort();
    found
}

#[test]
fn netflow_9_has_a_record_for_each_direction() {
    let (export, csv) = (scratch("flows.nf9"), scratch("netflow9.csv"));
    for path in [&export, &csv] {
        let arguments = ["replay", "--idle-timeout", "1s", "--export", path.to_str().unwrap()];
        assert!(flow_table(&arguments, &[&loopback()]).status.success());
    }
    let expected = directions_of_csv(&csv);
    assert!(expected.len() > 135);
    assert_eq!(directions_of_netflow9(&fs::read(export).unwrap()), expected);

    let collector = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    collector.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let target = format!("udp://{}", collector.local_addr().unwrap());
    let arguments = ["replay", "--idle-timeout", "1s", "--format", "netflow9", "--export", &target];
    assert!(flow_table(&arguments, &[&loopback()]).status.success());
    let (mut messages, mut space) = (Vec::new(), [0; 2_000]);
    while messages.is_empty() || netflow9(&messages).len() < expected.len() {
        let count = collector.recv(&mut space).expect("another message");
        assert!(count <= 1_400);
        messages.extend(&space[..count]);
    }
    assert_eq!(directions_of_netflow9(&messages), expected);
}

#[test]
fn expressions_of_libpcap_select_packets() {
    if Command::new("tcpdump").arg("--version").output().is_err() {
        return skipped("there is no tcpdump");
    }
    let selected = |arguments: &[&str]| {
        let output = flow_table(&[&["replay", "--json"], arguments].concat(), &[&loopback()]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let summary = &json(&output)[0];
        assert_eq!(summary["ip_packets"], 417);
        (summary["flows"].as_u64().unwrap(), summary["flow_packets"].as_u64().unwrap())
    };
    assert_eq!(selected(&["--bpf", "tcp port 8080"]), selected(&["--filter", "tcp port 8080"]));
    assert_eq!(selected(&["--bpf", "ip6 and udp"]), selected(&["--filter", "ip6 and udp"]));
    let (_, syns) = selected(&["--bpf", "tcp[tcpflags] & tcp-syn != 0"]);
    assert!(syns > 0 && syns < selected(&["--bpf", "tcp"]).1);
    assert_eq!(selected(&["--bpf", ""]).1, 417);

    let refused = flow_table(&["replay", "--bpf", "tcp porty"], &[&loopback()]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("syntax error"), "{}", text(&refused.stderr));
}

#[test]
fn an_expression_of_libpcap_needs_its_compiler() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_flow-table"));
    let output = program.args(["replay", "--bpf", "tcp"]).arg(loopback()).env("PATH", "").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("tcpdump"), "{}", text(&output.stderr));
}

#[test]
fn a_stream_gets_the_same_messages_as_a_file() {
    let collector = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("tcp://{}", collector.local_addr().unwrap());
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut collector.accept().unwrap().0, &mut bytes).unwrap();
        bytes
    });
    let file = scratch("stream.ipfix");
    for export in [target.as_str(), file.to_str().unwrap()] {
        let output = flow_table(&["replay", "--idle-timeout", "1s", "--export", export], &[&loopback()]);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let sorted = |bytes: &[u8]| {
        let mut records = ipfix(bytes);
        records.sort();
        records
    };
    let streamed = reader.join().unwrap();
    assert!(sorted(&streamed) == sorted(&fs::read(file).unwrap()), "order is free, records are not");
}

#[test]
fn completions_and_manual_pages_name_the_options() {
    for shell in ["bash", "zsh", "fish"] {
        let output = flow_table(&["completions", shell], &[]);
        assert!(output.status.success());
        assert!(text(&output.stdout).contains("idle-timeout"), "{shell}");
    }
    let folder = scratch("man");
    fs::create_dir_all(&folder).unwrap();
    assert!(flow_table(&["man", folder.to_str().unwrap()], &[]).status.success());
    let page = fs::read_to_string(folder.join("flow-table-replay.1")).unwrap();
    assert!(page.contains("idle\\-timeout"), "{page}");
    assert_eq!(flow_table(&["man", "/nowhere/at/all"], &[]).status.code(), Some(1));
}

#[test]
fn workers_write_the_same_records() {
    let mut exports = Vec::new();
    for workers in ["1", "2", "4"] {
        let export = scratch(&format!("workers-{workers}.csv"));
        let arguments = ["replay", "--json", "--idle-timeout", "1s", "--workers", workers, "--export"];
        let output = flow_table(&[&arguments[..], &[export.to_str().unwrap()]].concat(), &[&loopback()]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(json(&output)[0]["peak_live"], 115);
        let mut lines: Vec<_> = fs::read_to_string(export).unwrap().lines().map(str::to_owned).collect();
        lines.sort();
        exports.push(lines);
    }
    assert!(exports.iter().all(|lines| lines == &exports[0]));
    assert_eq!(exports[0].len(), 136);
}

/// Says on the terminal that a test did not run. The harness captures `eprintln`.
fn skipped(why: &str) {
    let _ = std::io::stderr().write_all(format!("SKIPPED: {why}\n").as_bytes());
}

/// Runs `top` in a terminal of the program `script`, presses keys, and returns what was drawn.
#[cfg(all(feature = "top", unix))]
fn top(keys: &[&str]) -> Option<String> {
    let (status, text) = terminal((30, 130), &format!("top --speed 0 {}", loopback().display()), keys)?;
    assert!(status.success(), "{text}");
    Some(without_controls(&text))
}

/// What the program writes to a terminal with these rows and columns, while somebody presses keys.
#[cfg(unix)]
fn terminal(
    (rows, columns): (u16, u16),
    arguments: &str,
    keys: &[&str],
) -> Option<(std::process::ExitStatus, String)> {
    let command =
        format!("stty rows {rows} cols {columns}; exec {} {arguments}", env!("CARGO_BIN_EXE_flow-table"));
    let child = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .env("TERM", "xterm-256color")
        .env_remove("NO_COLOR")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        skipped("a terminal: there is no program `script`");
        return None;
    };
    let mut drawn = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        std::io::Read::read_to_end(&mut drawn, &mut text).unwrap();
        text
    });
    let mut terminal = child.stdin.take().unwrap();
    for key in keys {
        // The program draws between keys.
        std::thread::sleep(std::time::Duration::from_millis(400));
        if terminal.write_all(key.as_bytes()).and_then(|()| terminal.flush()).is_err() {
            break;
        }
    }
    let status = child.wait().unwrap();
    let text = String::from_utf8_lossy(&reader.join().unwrap()).into_owned();
    Some((status, text))
}

/// The text with a space for each control sequence that moves the cursor, and none for one that sets a color.
#[cfg(unix)]
fn without_controls(drawn: &str) -> String {
    let mut parts = drawn.split('\u{1b}');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c.is_ascii_alphabetic()).map_or(part.len(), |at| at + 1);
        text.push_str(if part[..end].ends_with('m') { "" } else { " " });
        text.push_str(&part[end..]);
    }
    text
}

#[cfg(all(feature = "top", unix))]
#[test]
fn top_shows_flows_and_filters_them() {
    let Some(all) = top(&["b", "q"]) else { return };
    for part in ["the capture is over", "live flows", "source", "127.0.0.1:", "q quit"] {
        assert!(all.contains(part), "{part} in {all:?}");
    }
    let filtered = top(&["/", "s", "c", "t", "p", "\r", "q"]).expect("it ran before");
    assert!(filtered.contains("filter: sctp"), "{filtered:?}");
}

#[cfg(feature = "top")]
#[test]
fn top_needs_a_terminal() {
    let output = flow_table(&["top"], &[&loopback()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("needs a terminal"));
}

#[cfg(all(feature = "live", target_os = "linux"))]
#[test]
fn an_unknown_interface_is_told_with_the_known_ones() {
    let output = flow_table(&["live", "-i", "no-such-interface0"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no such interface; there are "), "{}", text(&output.stderr));
}

#[cfg(unix)]
#[test]
fn the_summary_fits_the_terminal() {
    let arguments = format!("replay --idle-timeout 1s {}", loopback().display());
    let Some((_, wide)) = terminal((30, 300), &arguments, &[]) else { return };
    let Some((status, narrow)) = terminal((30, 60), &arguments, &[]) else { return };
    assert!(status.success(), "{narrow}");
    assert!(narrow.contains("\u{1b}[36mpackets"), "labels have a color: {narrow}");
    let summary = |text: &str| without_controls(&text[text.rfind("loopback.pcap: ").unwrap()..]);
    let (wide, narrow) = (summary(&wide), summary(&narrow));
    for line in narrow.lines() {
        assert!(line.trim_end().chars().count() <= 60, "{line:?}");
    }
    assert!(narrow.lines().count() > wide.lines().count(), "{narrow}");
    let flows = "135 of 417 IP packets, 228.79 KiB; idle timeout 1s; at most 115 live at a time";
    assert!(wide.contains(flows), "{wide}");
    assert!(narrow.split_whitespace().collect::<Vec<_>>().join(" ").contains(flows), "{narrow}");
}
