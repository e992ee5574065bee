//! Eight bytes at a time in an ordinary register, without `unsafe` and without a target feature.

/// `byte` in all eight lanes.
pub(super) const fn splat(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The eight bytes from `at` on, the first in the lowest lane; `None` when there are fewer.
#[inline(always)]
pub(super) fn load(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk::<8>()?))
}

/// Sets the top bit of every zero lane. Lanes above the lowest zero lane may be set wrongly, so
/// only the lowest set bit counts.
#[inline(always)]
pub(super) const fn zero_lanes(word: u64) -> u64 {
    word.wrapping_sub(splat(1)) & !word & splat(0x80)
}

/// The lane of the lowest set bit.
#[inline(always)]
pub(super) const fn first_lane(lanes: u64) -> usize {
    (lanes.trailing_zeros() / 8) as usize
}

/// Sets the top bit of every lane that is neither an ASCII letter nor `_`, and of no other.
#[inline(always)]
pub(super) const fn non_letter_lanes(word: u64) -> u64 {
    let low = word & splat(0x7F);
    // Adding moves each bound to the top bit; below 0x80 no lane carries into the next.
    let lower = low | splat(0x20);
    let letters = (lower + splat(0x80 - b'a')) & !(lower + splat(0x80 - (b'z' + 1)));
    let underscores = !((low ^ splat(b'_')) + splat(0x7F));
    (!(letters | underscores) | word) & splat(0x80)
}

/// The first eight bytes of a name as a number, padded with zeros.
///
/// Names have no zero bytes, so two names of up to eight bytes are equal if and only if their
/// keys are.
#[inline(always)]
pub(super) fn key(bytes: &[u8], at: usize, len: usize) -> u64 {
    match load(bytes, at) {
        Some(word) if len >= 8 => word,
        Some(word) => word & !(u64::MAX << (8 * len)),
        None => key_at_end(bytes, at, len),
    }
}

#[cold]
fn key_at_end(bytes: &[u8], at: usize, len: usize) -> u64 {
    let name = bytes.get(at..at + len).unwrap_or_default();
    name.iter().take(8).rev().fold(0, |key, &byte| key << 8 | u64::from(byte))
}

/// [`key`] of a name known at compile time.
#[expect(clippy::indexing_slicing, reason = "runs at compile time")]
pub(super) const fn name_key(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let mut key = 0;
    let mut lane = if bytes.len() < 8 { bytes.len() } else { 8 };
    while lane > 0 {
        lane -= 1;
        key = key << 8 | bytes[lane] as u64;
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_told_from_everything_else() {
        for byte in 0..=u8::MAX {
            for lane in 0..8 {
                let mut bytes = *b"aZ_zA_mM";
                bytes[lane] = byte;
                let is_letter = byte.is_ascii_alphabetic() || byte == b'_';
                let lanes = non_letter_lanes(u64::from_le_bytes(bytes));
                assert_eq!(lanes, if is_letter { 0 } else { 0x80 << (8 * lane) }, "{byte:#x}");
            }
        }
    }

    #[test]
    fn keys_pad_with_zeros() {
        assert_eq!(key(b"uid='12345", 0, 3), name_key("uid"));
        assert_eq!(key(b"uid=", 0, 3), name_key("uid"));
        assert_eq!(key(b"callsigns=", 0, 9), name_key("callsign"));
    }
}
