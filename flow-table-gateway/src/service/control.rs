use std::fs;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use rustix::fs::Mode;

use crate::service::request::{Reply, Request};

/// How long an operator may take to ask, or to read what is answered.
const PATIENCE: Duration = Duration::from_secs(10);
const LONGEST_REQUEST: u64 = 4_096;

/// Opens the socket, which only the owner of the process may use. A socket that nobody listens to is replaced.
pub(super) fn listen(path: &Path) -> io::Result<UnixListener> {
    if UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another gateway listens to this socket"));
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mask = rustix::process::umask(Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(path);
    rustix::process::umask(mask);
    listener
}

/// Answers one request at a time, for ever.
pub(super) fn serve(
    listener: &UnixListener,
    answer: impl Fn(Request, &mut dyn FnMut(Reply) -> io::Result<()>) -> io::Result<()>,
) {
    for stream in listener.incoming() {
        let served = stream.and_then(|stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            let mut line = String::new();
            BufReader::new((&stream).take(LONGEST_REQUEST)).read_line(&mut line)?;
            let mut out = BufWriter::new(&stream);
            let mut write = |reply: Reply| {
                serde_json::to_writer(&mut out, &reply)?;
                out.write_all(b"\n")
            };
            match serde_json::from_str(&line) {
                Ok(request) => answer(request, &mut write)?,
                Err(error) => write(Reply::Error(error.to_string()))?,
            }
            out.flush()
        });
        if let Err(error) = served {
            tracing::warn!(%error, "a request was not answered");
        }
    }
}

/// Asks the gateway behind a socket, and passes each line of its answer to `reply`.
///
/// # Errors
///
/// An error of the socket or of `reply`, or a line that is no [`Reply`].
pub fn ask(path: &Path, request: &Request, mut reply: impl FnMut(Reply) -> io::Result<()>) -> io::Result<()> {
    let mut stream = UnixStream::connect(path)?;
    serde_json::to_writer(&mut stream, request)?;
    stream.write_all(b"\n")?;
    for line in BufReader::new(stream).lines() {
        reply(serde_json::from_str(&line?)?)?;
    }
    Ok(())
}
