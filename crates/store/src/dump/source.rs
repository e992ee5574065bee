//! An opened dump file of either kind, decompressed when it has to be.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{DumpError, DumpFormat};

/// Bytes read from the file and kept decompressed at once.
const BUFFER_BYTES: usize = 64 << 10;
/// How far back compressed data may refer, as a power of two: 16 MiB. Whoever compressed a file
/// decides how much memory reading it takes, up to here.
const MAX_WINDOW_LOG: u32 = 24;
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The bytes of a dump: JSON lines or XML, compressed or not, as the content says. The name decides
/// only when the content does not, because the file is empty or damaged at its beginning.
///
/// Read JSON lines with [`DumpReader`](super::DumpReader); XML is to be cut into events by someone
/// who knows XML.
pub struct DumpSource {
    path: PathBuf,
    format: DumpFormat,
    is_compressed: bool,
    file_bytes: Option<u64>,
    position: Arc<AtomicU64>,
    reader: Box<dyn BufRead + Send>,
}

impl DumpSource {
    /// Opens a file and finds out what it holds. An empty file is an empty dump.
    ///
    /// # Errors
    ///
    /// [`DumpError::Open`], [`DumpError::NotADump`], and [`DumpError::Unreadable`] when not even
    /// the first byte can be read or decompressed.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, DumpError> {
        let path = path.into();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(source) => return Err(DumpError::Open { path, source }),
        };
        let file_bytes = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|m| m.len());
        Ok(Self { file_bytes, ..Self::new(path, file)? })
    }

    /// The same of anything that can be read. `name` is for messages.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn new(
        name: impl Into<PathBuf>,
        reader: impl Read + Send + 'static,
    ) -> Result<Self, DumpError> {
        let path = name.into();
        let position = Arc::new(AtomicU64::new(0));
        let counted = Counted { inner: reader, position: Arc::clone(&position) };
        let (is_compressed, mut reader) = match decompressed(counted) {
            Ok(opened) => opened,
            Err(source) => return Err(DumpError::Unreadable { path, line: 0, source }),
        };
        let format = match first_byte(&mut reader) {
            Ok(Some(b'{')) => DumpFormat::Json,
            Ok(Some(b'<')) => DumpFormat::Xml,
            // Of a file that calls itself a dump the beginning may be damaged.
            Ok(Some(_)) => match format_of_name(&path) {
                Some(format) => format,
                None => return Err(DumpError::NotADump { path }),
            },
            Ok(None) => format_of_name(&path).unwrap_or_default(),
            Err(source) => return Err(DumpError::Unreadable { path, line: 0, source }),
        };
        Ok(Self { path, format, is_compressed, file_bytes: None, position, reader })
    }

    /// What the bytes are.
    pub fn format(&self) -> DumpFormat {
        self.format
    }

    /// Whether the file is compressed; the bytes read here never are.
    pub fn is_compressed(&self) -> bool {
        self.is_compressed
    }

    /// The name given when it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file as stored, for showing progress; `None` when it is not a file.
    pub fn file_bytes(&self) -> Option<u64> {
        self.file_bytes
    }

    /// How many of [`file_bytes`](Self::file_bytes) were taken in.
    pub fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }
}

impl Read for DumpSource {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buf)
    }
}

impl BufRead for DumpSource {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.reader.consume(amount);
    }
}

impl std::fmt::Debug for DumpSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DumpSource")
            .field("path", &self.path)
            .field("format", &self.format)
            .field("is_compressed", &self.is_compressed)
            .finish_non_exhaustive()
    }
}

/// Whether the data begins as zstd data does, and a reader of what it is without compression.
fn decompressed(
    mut reader: impl Read + Send + 'static,
) -> io::Result<(bool, Box<dyn BufRead + Send>)> {
    let mut begin = Vec::new();
    reader.by_ref().take(ZSTD_MAGIC.len() as u64).read_to_end(&mut begin)?;
    let is_compressed = begin == ZSTD_MAGIC;
    let whole = BufReader::with_capacity(BUFFER_BYTES, Cursor::new(begin).chain(reader));
    if !is_compressed {
        return Ok((false, Box::new(whole)));
    }
    let mut decoder = zstd::stream::read::Decoder::with_buffer(whole)?;
    decoder.window_log_max(MAX_WINDOW_LOG)?;
    Ok((true, Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder))))
}

/// The first byte that is not white space; white space before it is skipped, and so is a mark of
/// the byte order. `None` when there is no such byte.
fn first_byte(reader: &mut impl BufRead) -> io::Result<Option<u8>> {
    if reader.fill_buf()?.starts_with(BYTE_ORDER_MARK) {
        reader.consume(BYTE_ORDER_MARK.len());
    }
    loop {
        let bytes = reader.fill_buf()?;
        let spaces = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let first = bytes.get(spaces).copied();
        if first.is_some() || bytes.is_empty() {
            return Ok(first);
        }
        reader.consume(spaces);
    }
}

fn format_of_name(path: &Path) -> Option<DumpFormat> {
    let name = path.to_string_lossy();
    let name = name.strip_suffix(".zst").unwrap_or(&name);
    if name.ends_with(".jsonl") {
        Some(DumpFormat::Json)
    } else if name.ends_with(".cot") {
        Some(DumpFormat::Xml)
    } else {
        None
    }
}

/// Counts what passes.
struct Counted<R> {
    inner: R,
    position: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let taken = self.inner.read(buf)?;
        self.position.fetch_add(taken as u64, Ordering::Relaxed);
        Ok(taken)
    }
}
