//! NATS servers of a test's own: on free ports of the loopback interface, with stores that are removed.

use std::env;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use flow_table_replicate::transport::nats::{NatsConfig, NatsTransport};

/// The program, if it is installed: `NATS_SERVER`, or `nats-server` on the path. Says aloud if it is not.
pub fn program() -> Option<PathBuf> {
    let program = PathBuf::from(env::var_os("NATS_SERVER").unwrap_or_else(|| "nats-server".into()));
    let found = Command::new(&program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        // The harness shows this only with `--nocapture`; the file makes it visible to scripts.
        eprintln!("SKIPPED: there is no nats-server; install it (Debian: nats-server), or set NATS_SERVER");
    }
    found.then_some(program)
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub struct Server {
    program: PathBuf,
    arguments: Vec<String>,
    port: u16,
    process: Option<Child>,
}

/// One server, or three that keep everything three times.
pub struct Servers {
    pub folder: PathBuf,
    pub servers: Vec<Server>,
}

impl Servers {
    pub fn start(program: PathBuf, number: usize) -> Self {
        let folder = env::temp_dir().join(format!("flow-table-nats-{}-{}", std::process::id(), free_port()));
        let ports: Vec<_> = (0..number).map(|_| (free_port(), free_port())).collect();
        let routes: Vec<_> = ports.iter().map(|(_, route)| format!("nats://127.0.0.1:{route}")).collect();
        let servers = ports.iter().enumerate().map(|(index, (port, route))| {
            let store = folder.join(index.to_string());
            fs::create_dir_all(&store).unwrap();
            let mut arguments = vec!["-a".into(), "127.0.0.1".into(), "-p".into(), port.to_string()];
            arguments.extend(["-js".into(), "-sd".into(), store.display().to_string()]);
            if number > 1 {
                let listen = format!("nats://127.0.0.1:{route}");
                arguments.extend(["-n".into(), format!("n{index}"), "--cluster_name".into(), "test".into()]);
                arguments.extend(["--cluster".into(), listen, "--routes".into(), routes.join(",")]);
            }
            let mut server = Server { program: program.clone(), arguments, port: *port, process: None };
            server.start();
            server
        });
        let servers = servers.collect();
        Self { folder, servers }
    }

    /// One server with the configuration that `configure` returns. It gets the folder for files of its own.
    #[allow(dead_code, reason = "not every test needs it")]
    pub fn start_with(program: PathBuf, configure: impl FnOnce(&Path) -> String) -> Self {
        let mut servers = Self::start(program, 1);
        let server = &mut servers.servers[0];
        server.kill();
        let file = servers.folder.join("server.conf");
        fs::write(&file, configure(&servers.folder)).unwrap();
        server.arguments.extend(["-c".into(), file.display().to_string()]);
        server.start();
        servers
    }

    pub fn config(&self) -> NatsConfig {
        let servers: Vec<_> =
            self.servers.iter().map(|server| format!("nats://127.0.0.1:{}", server.port)).collect();
        NatsConfig {
            replicas: self.servers.len(),
            max_bytes: 256 << 20,
            ..NatsConfig::new(servers.join(","), "test")
        }
    }

    /// Connects, once the servers are ready.
    #[allow(dead_code, reason = "not every test needs it")]
    pub fn connect(&self) -> NatsTransport {
        self.connect_with(&self.config())
    }

    /// Connects with this configuration, once the servers are ready.
    #[allow(dead_code, reason = "not every test needs it")]
    pub fn connect_with(&self, config: &NatsConfig) -> NatsTransport {
        let start = Instant::now();
        loop {
            match NatsTransport::connect(config) {
                Ok(transport) => return transport,
                Err(error) => assert!(start.elapsed() < Duration::from_secs(60), "{error}"),
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Server {
    pub fn start(&mut self) {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(command.spawn().unwrap());
    }

    /// Sends its process a signal.
    #[allow(dead_code, reason = "not every test needs it")]
    pub fn signal(&self, name: &str) {
        let process = self.process.as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").args(["-s", name, &process]).status().unwrap().success());
    }

    /// Ends it at once, as a failure would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.servers.iter_mut().for_each(Server::kill);
        let _ = fs::remove_dir_all(&self.folder);
    }
}
