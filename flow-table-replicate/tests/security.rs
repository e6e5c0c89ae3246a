//! The configuration that the README shows: TLS with certificates of both sides, and a user for each gateway who
//! may write that gateway's subject only. Without the program `nats-server` the test says so and checks nothing.
#![cfg(feature = "nats")]

#[path = "nats/node.rs"]
mod node;
#[path = "nats/server.rs"]
mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use flow_table_replicate::ShardSet;
use flow_table_replicate::cluster::NodeId;
use flow_table_replicate::transport::Sink as _;
use flow_table_replicate::transport::nats::{NatsConfig, NatsTransport};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

use node::{Node, PATIENCE, wait_for};
use server::{Servers, program};

/// An authority, and certificates by it, in files.
fn certificates(folder: &Path) {
    let key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    fs::write(folder.join("ca.pem"), authority.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(authority, key);
    for name in ["server", "gateway"] {
        let key = KeyPair::generate().unwrap();
        let mut holder = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        holder.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        fs::write(folder.join(format!("{name}.pem")), holder.signed_by(&key, &issuer).unwrap().pem()).unwrap();
        fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

fn configuration(folder: &Path) -> String {
    let file = |name: &str| folder.join(name).display().to_string();
    let user = |node: u64| {
        format!(
            r#"{{ user: gw{node}, password: secret{node}, permissions: {{
                 publish: ["flows.test.{node}", "$KV.flows-test.shards", "$JS.API.>", "$JS.ACK.>"]
                 subscribe: ["_INBOX.>"] }} }}"#
        )
    };
    format!(
        r#"tls {{ cert_file: "{}", key_file: "{}", ca_file: "{}", verify: true }}
           accounts {{ FLOWS {{ jetstream: enabled, users: [ {}, {} ] }} }}"#,
        file("server.pem"),
        file("server.key"),
        file("ca.pem"),
        user(1),
        user(2)
    )
}

struct Secured {
    servers: Servers,
    folder: PathBuf,
}

impl Secured {
    fn config(&self, user: &str) -> NatsConfig {
        let plain = self.servers.config();
        NatsConfig {
            servers: plain.servers.replace("nats://", "tls://"),
            login: user.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned())),
            authorities: Some(self.folder.join("ca.pem")),
            identity: Some((self.folder.join("gateway.pem"), self.folder.join("gateway.key"))),
            ..plain
        }
    }

    fn connect(&self, user: &str) -> NatsTransport {
        let start = Instant::now();
        loop {
            match NatsTransport::connect(&self.config(user)) {
                Ok(transport) => return transport,
                Err(error) => assert!(start.elapsed() < PATIENCE, "{error}"),
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}

#[test]
fn gateways_meet_over_tls_and_write_their_own_subjects_only() {
    let Some(program) = program() else { return };
    let servers = Servers::start_with(program, |folder| {
        certificates(folder);
        configuration(folder)
    });
    let secured = Secured { folder: servers.folder.clone(), servers };
    let (one, two) = (secured.connect("gw1:secret1"), secured.connect("gw2:secret2"));
    let (owner, standby) = (Node::start(&one, 1, PATIENCE), Node::start(&two, 2, PATIENCE));
    assert!(owner.gateway.promote(ShardSet::ALL, PATIENCE).confirmed);
    (0..100).for_each(|id| owner.insert(id));
    wait_for("the flows at the standby", PATIENCE, || standby.len() == 100);

    // The first gateway writes in the name of the second.
    let mut forged = one.sink(NodeId(2));
    forged.send(1, b"forged").unwrap();
    let mut outcomes = Vec::new();
    wait_for("the refusal", PATIENCE, || {
        forged.outcomes(&mut outcomes);
        !outcomes.is_empty()
    });
    assert!(!outcomes[0].stored);
    assert_eq!(standby.gateway.status().counters.corrupt, 0);

    assert!(NatsTransport::connect(&secured.config("gw1:wrong")).is_err());
    assert!(NatsTransport::connect(&NatsConfig { identity: None, ..secured.config("gw1:secret1") }).is_err());
    assert!(NatsTransport::connect(&NatsConfig { authorities: None, ..secured.config("gw1:secret1") }).is_err());
}
