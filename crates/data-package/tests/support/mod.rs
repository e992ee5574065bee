//! Archives that no archiver would write, byte by byte.

#![allow(dead_code, reason = "no test needs all of it")]

use std::io::{Cursor, Write};

use data_package::{InspectError, Inspection, Limits, PackageBuilder, inspect};
use flate2::Compression;
use flate2::write::DeflateEncoder;

/// An entry as it is written into an archive, each claim apart.
#[derive(Clone)]
pub(crate) struct Raw {
    pub(crate) name: Vec<u8>,
    pub(crate) method: u16,
    pub(crate) flags: u16,
    pub(crate) attributes: u32,
    pub(crate) data: Vec<u8>,
    pub(crate) checksum: u32,
    pub(crate) compressed: u64,
    pub(crate) size: u64,
    /// Instead of where it is.
    pub(crate) offset: Option<u64>,
}

impl Raw {
    pub(crate) fn stored(name: impl AsRef<[u8]>, data: &[u8]) -> Self {
        let len = data.len() as u64;
        Self {
            name: name.as_ref().to_vec(),
            method: 0,
            flags: 0x800,
            attributes: 0o100_644 << 16,
            data: data.to_vec(),
            checksum: crc32fast::hash(data),
            compressed: len,
            size: len,
            offset: None,
        }
    }

    pub(crate) fn deflated(name: impl AsRef<[u8]>, data: &[u8]) -> Self {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).unwrap();
        let packed = encoder.finish().unwrap();
        let compressed = packed.len() as u64;
        Self { method: 8, data: packed, compressed, ..Self::stored(name, data) }
            .claiming(data.len() as u64)
    }

    pub(crate) fn claiming(self, size: u64) -> Self {
        Self { size, ..self }
    }

    fn fits(&self) -> bool {
        let is_small = |size| size < 0xffff_ffff;
        is_small(self.compressed) && is_small(self.size) && self.offset.is_none_or(is_small)
    }

    fn local(&self) -> Vec<u8> {
        let mut out = b"PK\x03\x04".to_vec();
        out.extend(20_u16.to_le_bytes());
        self.write_middle(&mut out);
        out.extend([0, 0]);
        out.extend(&self.name);
        out.extend(&self.data);
        out
    }

    /// From the flags to the length of the name.
    fn write_middle(&self, out: &mut Vec<u8>) {
        out.extend(self.flags.to_le_bytes());
        out.extend(self.method.to_le_bytes());
        out.extend([0, 0, 0x21, 0]);
        out.extend(self.checksum.to_le_bytes());
        for size in [self.compressed, self.size] {
            out.extend(u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes());
        }
        out.extend(u16::try_from(self.name.len()).unwrap().to_le_bytes());
    }

    fn header(&self, at: u64) -> Vec<u8> {
        let mut out = b"PK\x01\x02".to_vec();
        out.extend([20, 3, 20, 0]);
        self.write_middle(&mut out);
        let offset = self.offset.unwrap_or(at);
        let mut extra = Vec::new();
        if !self.fits() {
            extra.extend([1, 0, 24, 0]);
            for value in [self.size, self.compressed, offset] {
                extra.extend(value.to_le_bytes());
            }
        }
        let claim = |value: u64| if self.fits() { u32::try_from(value).unwrap() } else { u32::MAX };
        if !self.fits() {
            out.splice(20..28, [0xff; 8]);
        }
        out.extend(u16::try_from(extra.len()).unwrap().to_le_bytes());
        out.extend([0; 6]);
        out.extend(self.attributes.to_le_bytes());
        out.extend(claim(offset).to_le_bytes());
        out.extend(&self.name);
        out.extend(&extra);
        out
    }
}

/// An archive of these entries; entries without data have no place in it but in the directory.
pub(crate) fn archive(entries: &[Raw]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for entry in entries {
        directory.extend(entry.header(out.len() as u64));
        if entry.offset.is_none() {
            out.extend(entry.local());
        }
    }
    let start = out.len();
    out.extend(&directory);
    out.extend(end(entries.len() as u64, directory.len() as u64, start as u64));
    out
}

/// The record at the end.
pub(crate) fn end(entries: u64, len: u64, offset: u64) -> Vec<u8> {
    let mut out = b"PK\x05\x06\0\0\0\0".to_vec();
    for _ in 0..2 {
        out.extend(u16::try_from(entries).unwrap_or(u16::MAX).to_le_bytes());
    }
    for value in [len, offset] {
        out.extend(u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes());
    }
    out.extend([0, 0]);
    out
}

/// The records at the end of a large archive, of which `at` is the place in the file.
pub(crate) fn end64(entries: u64, len: u64, offset: u64, at: u64) -> Vec<u8> {
    let mut out = b"PK\x06\x06".to_vec();
    out.extend(44_u64.to_le_bytes());
    out.extend([45, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for value in [entries, entries, len, offset] {
        out.extend(value.to_le_bytes());
    }
    out.extend(b"PK\x06\x07\0\0\0\0");
    out.extend(at.to_le_bytes());
    out.extend([1, 0, 0, 0]);
    out.extend(end(u64::MAX, u64::MAX, u64::MAX));
    out
}

/// A manifest that names these entries.
pub(crate) fn manifest(names: &[&str]) -> Raw {
    let contents: String = names
        .iter()
        .map(|name| format!(r#"<Content ignore="false" zipEntry="{name}"/>"#))
        .collect();
    let xml = format!(
        r#"<MissionPackageManifest version="2"><Configuration><Parameter name="uid" value="1"/>
        <Parameter name="name" value="n"/></Configuration><Contents>{contents}</Contents>
        </MissionPackageManifest>"#
    );
    Raw::deflated("MANIFEST/manifest.xml", xml.as_bytes())
}

pub(crate) fn look(bytes: &[u8]) -> Result<Inspection, InspectError> {
    inspect(Cursor::new(bytes), &Limits::default())
}

pub(crate) fn built(builder: PackageBuilder<'_>) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    builder.write(&mut out).unwrap();
    out.into_inner()
}
