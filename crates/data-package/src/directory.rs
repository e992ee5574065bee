//! The directory at the end of a zip archive, read with bounded memory and without trust.
//!
//! Only what receivers agree on is taken for an archive: the record at the very end of the file, and
//! the directory right before it. Sizes are what the archive announces, checked against nothing here.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use crate::{InspectError, Limits};

/// Length of the end record without its comment, and of its longest comment.
const END_LEN: usize = 22;
const MAX_COMMENT: usize = 0xffff;
const END_SIGNATURE: [u8; 4] = *b"PK\x05\x06";

/// Length of the record that says where the end record of large archives is.
const LOCATOR_LEN: usize = 20;
const LOCATOR_SIGNATURE: [u8; 4] = *b"PK\x06\x07";

/// Length of the end record of large archives, as far as it is read.
const END64_LEN: usize = 56;
const END64_SIGNATURE: [u8; 4] = *b"PK\x06\x06";

/// Length of what stands before the name of an entry in the directory, and before its content.
const HEADER_LEN: usize = 46;
const HEADER_SIGNATURE: [u8; 4] = *b"PK\x01\x02";
pub(crate) const LOCAL_LEN: usize = 30;
const LOCAL_SIGNATURE: [u8; 4] = *b"PK\x03\x04";

/// The extra field with the sizes of large entries.
const ZIP64_FIELD: u16 = 1;

/// The compression methods that all receivers know.
const STORED: u16 = 0;
pub(crate) const DEFLATED: u16 = 8;

/// Where the directory is.
#[derive(Debug)]
pub(crate) struct Directory {
    /// Its first byte.
    pub(crate) start: u64,
    /// How many bytes it has. `start + len` is within the file.
    pub(crate) len: u64,
    /// How many entries it says to have.
    pub(crate) entries: u64,
    /// How many bytes stand before the archive: offsets are counted from there.
    pub(crate) before: u64,
}

/// An entry, as the directory has it.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) name: Vec<u8>,
    pub(crate) is_encrypted: bool,
    /// Symbolic links are known by the mode that Unix archivers write.
    pub(crate) is_symlink: bool,
    pub(crate) method: u16,
    pub(crate) checksum: u32,
    pub(crate) compressed: u64,
    pub(crate) size: u64,
    /// Where its local header is, from the start of the file. May be anywhere.
    pub(crate) offset: u64,
}

impl Header {
    pub(crate) fn is_plain(&self) -> bool {
        !self.is_encrypted && matches!(self.method, STORED | DEFLATED)
    }

    /// Where its content ends at the earliest; `None` when no file is that long.
    pub(crate) fn least_end(&self) -> Option<u64> {
        let local = u64::try_from(LOCAL_LEN.checked_add(self.name.len())?).ok()?;
        self.offset.checked_add(local)?.checked_add(self.compressed)
    }
}

impl Directory {
    /// Finds it.
    pub(crate) fn find<R: Read + Seek>(
        reader: &mut R,
        limits: &Limits,
    ) -> Result<Self, InspectError> {
        let file_len = reader.seek(SeekFrom::End(0)).map_err(unreadable)?;
        let tail_len = file_len.min(widen(END_LEN + MAX_COMMENT + LOCATOR_LEN));
        let tail_start = file_len - tail_len;
        let mut tail = Vec::new();
        reader.seek(SeekFrom::Start(tail_start)).map_err(unreadable)?;
        reader.take(tail_len).read_to_end(&mut tail).map_err(unreadable)?;
        let at = end_record(&tail).ok_or(InspectError::NotZip)?;
        let (before_end, end) = tail.split_at_checked(at).ok_or(InspectError::NotZip)?;

        let end = small_end(end).ok_or(InspectError::NotZip)?;
        let end_at = tail_start + widen(at);
        let is_large = end.entries == 0xffff || end.len == 0xffff_ffff || end.offset == 0xffff_ffff;
        let locator = before_end.last_chunk().filter(|_| is_large).and_then(locator);
        let (end, end_at) = match locator {
            Some(offset) => (large_end(reader, offset)?, offset),
            None => (end, end_at),
        };
        let start = end_at.checked_sub(end.len);
        let before = start.and_then(|start| start.checked_sub(end.offset));
        let (Some(start), Some(before)) = (start, before) else {
            return Err(InspectError::Malformed("its directory is not where it says"));
        };
        if end.entries > u64::from(limits.max_entries) {
            let limit = limits.max_entries.into();
            return Err(InspectError::Limit { what: "entries", limit });
        }
        if end.len > limits.max_directory_bytes {
            let limit = limits.max_directory_bytes;
            return Err(InspectError::Limit { what: "bytes of names", limit });
        }
        Ok(Self { start, len: end.len, entries: end.entries, before })
    }

    /// Reads its entries one after the other.
    pub(crate) fn read<R: Read + Seek>(
        &self,
        reader: &mut R,
        mut each: impl FnMut(Header) -> Result<(), InspectError>,
    ) -> Result<(), InspectError> {
        reader.seek(SeekFrom::Start(self.start)).map_err(unreadable)?;
        let mut reader = BufReader::new(reader.take(self.len));
        for _ in 0..self.entries {
            let mut header = header(&mut reader)?;
            let offset = header.offset.checked_add(self.before);
            header.offset = offset.ok_or(InspectError::Malformed("an entry is far beyond it"))?;
            each(header)?;
        }
        // An entry that is not counted is one that some receivers see and others do not.
        match io::copy(&mut reader.take(1), &mut io::sink()) {
            Ok(0) => Ok(()),
            Ok(_) => Err(InspectError::Malformed("its directory has more than it says")),
            Err(source) => Err(unreadable(source)),
        }
    }
}

/// Where the content of an entry begins; `None` when there is none where it should be.
pub(crate) fn content_start<R: Read + Seek>(
    reader: &mut R,
    header: &Header,
) -> io::Result<Option<u64>> {
    let mut local = [0; LOCAL_LEN];
    reader.seek(SeekFrom::Start(header.offset))?;
    match reader.read_exact(&mut local) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut fields = Fields(&local);
    let lens = (|| {
        fields.signature(LOCAL_SIGNATURE)?;
        fields.skip(22)?;
        Some(u64::from(fields.u16()?) + u64::from(fields.u16()?))
    })();
    Ok(lens.and_then(|lens| header.offset.checked_add(widen(LOCAL_LEN))?.checked_add(lens)))
}

/// What the end record says of the directory.
struct End {
    entries: u64,
    len: u64,
    offset: u64,
}

/// Where the end record is in the last bytes of a file: its comment reaches to the very end.
fn end_record(tail: &[u8]) -> Option<usize> {
    tail.windows(END_LEN).enumerate().rev().find_map(|(at, record)| {
        let mut fields = Fields(record);
        fields.signature(END_SIGNATURE)?;
        fields.skip(16)?;
        let comment = usize::from(fields.u16()?);
        (at + END_LEN + comment == tail.len()).then_some(at)
    })
}

fn small_end(record: &[u8]) -> Option<End> {
    let mut fields = Fields(record);
    fields.signature(END_SIGNATURE)?;
    fields.skip(6)?;
    Some(End {
        entries: fields.u16()?.into(),
        len: fields.u32()?.into(),
        offset: fields.u32()?.into(),
    })
}

/// Where the end record of a large archive is.
fn locator(record: &[u8; LOCATOR_LEN]) -> Option<u64> {
    let mut fields = Fields(record);
    fields.signature(LOCATOR_SIGNATURE)?;
    fields.skip(4)?;
    fields.u64()
}

fn large_end<R: Read + Seek>(reader: &mut R, offset: u64) -> Result<End, InspectError> {
    let malformed = InspectError::Malformed("its end record is not where it says");
    let mut record = [0; END64_LEN];
    let is_read =
        reader.seek(SeekFrom::Start(offset)).and_then(|_| reader.read_exact(&mut record)).is_ok();
    let mut fields = Fields(&record);
    let end = (|| {
        fields.signature(END64_SIGNATURE)?;
        fields.skip(28)?;
        Some(End { entries: fields.u64()?, len: fields.u64()?, offset: fields.u64()? })
    })();
    end.filter(|_| is_read).ok_or(malformed)
}

fn header(reader: &mut impl Read) -> Result<Header, InspectError> {
    let mut fixed = [0; HEADER_LEN];
    read_exact(reader, &mut fixed)?;
    let mut fields = Fields(&fixed);
    let parsed = (|| {
        fields.signature(HEADER_SIGNATURE)?;
        let made_by = fields.u16()?;
        fields.skip(2)?;
        let (flags, method) = (fields.u16()?, fields.u16()?);
        fields.skip(4)?;
        let checksum = fields.u32()?;
        let sizes = [u64::from(fields.u32()?), u64::from(fields.u32()?)];
        let lens = [fields.u16()?, fields.u16()?, fields.u16()?].map(usize::from);
        fields.skip(4)?;
        let (attributes, offset) = (fields.u32()?, u64::from(fields.u32()?));
        Some((made_by, flags, method, checksum, sizes, lens, attributes, offset))
    })();
    let Some((made_by, flags, method, checksum, [compressed, size], lens, attributes, offset)) =
        parsed
    else {
        return Err(InspectError::Malformed("its directory holds something else"));
    };
    let [name, extra, comment] = lens.map(|len| vec![0; len]);
    let mut rest = [name, extra, comment];
    for part in &mut rest {
        read_exact(reader, part)?;
    }
    let [name, extra, _] = rest;
    let mut header = Header {
        name,
        is_encrypted: flags & 1 != 0,
        is_symlink: is_unix(made_by) && attributes >> 28 == 0o12,
        method,
        checksum,
        compressed,
        size,
        offset,
    };
    take_large_sizes(&mut header, &extra);
    Ok(header)
}

/// Takes the sizes that did not fit where they belong.
fn take_large_sizes(header: &mut Header, extra: &[u8]) {
    let mut fields = Fields(extra);
    while let Some((id, len)) = fields.u16().zip(fields.u16()) {
        let Some(field) = fields.take(usize::from(len)) else { return };
        if id == ZIP64_FIELD {
            let mut values = Fields(field);
            for size in [&mut header.size, &mut header.compressed, &mut header.offset] {
                if *size == 0xffff_ffff
                    && let Some(large) = values.u64()
                {
                    *size = large;
                }
            }
        }
    }
}

/// Whether the archiver ran on Unix or macOS.
fn is_unix(made_by: u16) -> bool {
    matches!(made_by >> 8, 3 | 19)
}

fn read_exact(reader: &mut impl Read, buf: &mut [u8]) -> Result<(), InspectError> {
    reader.read_exact(buf).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            InspectError::Malformed("its directory is shorter than it says")
        }
        _ => unreadable(error),
    })
}

pub(crate) fn unreadable(source: io::Error) -> InspectError {
    InspectError::Unreadable { source }
}

pub(crate) fn widen(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// Numbers, least byte first, taken from the front.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn skip(&mut self, len: usize) -> Option<()> {
        self.take(len).map(drop)
    }

    fn signature(&mut self, expected: [u8; 4]) -> Option<()> {
        (self.array()? == expected).then_some(())
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}
