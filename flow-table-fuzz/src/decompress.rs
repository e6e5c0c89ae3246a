//! Compressed bytes.

use std::io::{Cursor, ErrorKind, Read};

use flow_table_cli::input::decompress::{Compression, decompress};

/// As much is read as a small file may become.
const LIMIT: u64 = 4 << 20;

/// Decompresses the bytes, all at once and in small pieces.
pub fn check(bytes: &[u8]) {
    let (compression, whole) = read(bytes, usize::MAX);
    let (again, pieces) = read(bytes, 3);
    assert_eq!(compression, again);
    match (&whole, &pieces) {
        (Ok(whole), Ok(pieces)) => assert!(whole == pieces, "{} and {} bytes", whole.len(), pieces.len()),
        (Err(whole), Err(pieces)) => assert_eq!(whole, pieces),
        _ => panic!("{:?} and {:?}", whole.as_ref().map(Vec::len), pieces.as_ref().map(Vec::len)),
    }
    if compression.is_none() {
        assert_eq!(whole, Ok(bytes.to_vec()));
    }
}

fn read(bytes: &[u8], most: usize) -> (Option<Compression>, Result<Vec<u8>, ErrorKind>) {
    let input = Pieces { rest: Cursor::new(bytes.to_vec()), most };
    let (output, compression) = decompress(Box::new(input)).expect("memory can be read");
    let mut read = Vec::new();
    let result = output.take(LIMIT).read_to_end(&mut read);
    (compression, result.map(|_| read).map_err(|error| error.kind()))
}

/// At most so many bytes at a time.
struct Pieces {
    rest: Cursor<Vec<u8>>,
    most: usize,
}

impl Read for Pieces {
    fn read(&mut self, space: &mut [u8]) -> std::io::Result<usize> {
        let few = space.len().min(self.most);
        self.rest.read(&mut space[..few])
    }
}
