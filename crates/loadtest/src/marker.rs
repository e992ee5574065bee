//! The mark in every event that tells whose it is, which one, and when it was sent.
//!
//! Forty bytes of fixed width, so that it is written into a finished event and read out of one at
//! a fixed offset, in a few nanoseconds and without parsing:
//!
//! ```text
//! LOADTEST aaaabbbb ccccccck cdefghijklmnopab      (without the blanks)
//! prefix   run,from seq      sent at, nanoseconds
//! ```
//!
//! Digits are the letters `a` to `p` for 0 to 15: letters survive every server, whatever it
//! escapes, trims or reformats, and eight of them are packed and checked as one 64-bit word.

/// What every mark begins with.
pub(crate) const PREFIX: [u8; 8] = *b"LOADTEST";

/// Bytes of a mark, prefix included.
pub(crate) const LEN: usize = 40;

/// The sequence number of an event that only makes its sender known.
pub(crate) const HELLO: u32 = u32::MAX;

/// The sender of an event that belongs to a passing client and not to a steady one.
pub(crate) const VISITOR: u16 = u16::MAX;

/// What one mark says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marker {
    /// Tells this run's events from those that a server still keeps from another.
    pub(crate) run: u16,
    /// Index of the sending client.
    pub(crate) sender: u16,
    /// Counts the sender's events from 0, without a gap.
    pub(crate) seq: u32,
    /// When it was sent, or should have been. Nanoseconds of the run's clock.
    pub(crate) sent_ns: u64,
}

impl Marker {
    /// Writes the mark into `place`, which must have [`LEN`] bytes.
    pub(crate) fn write(&self, place: &mut [u8]) {
        let Some((prefix, words)) = place.split_first_chunk_mut::<8>() else { return };
        *prefix = PREFIX;
        let who = u32::from(self.run) << 16 | u32::from(self.sender);
        let late = u32::try_from(self.sent_ns >> 32).unwrap_or(u32::MAX);
        let early = u32::try_from(self.sent_ns & 0xFFFF_FFFF).unwrap_or(u32::MAX);
        for (word, value) in words.chunks_exact_mut(8).zip([who, self.seq, late, early]) {
            word.copy_from_slice(&letters(value));
        }
    }

    /// Reads a mark from the first [`LEN`] bytes; nothing if they are not a mark.
    #[inline]
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (prefix, rest) = bytes.split_first_chunk::<8>()?;
        let (words, _) = rest.split_first_chunk::<32>()?;
        let (words, _) = words.as_chunks::<8>();
        let [who, seq, late, early] = words else { return None };
        if *prefix != PREFIX {
            return None;
        }
        let (who, seq) = (number(*who)?, number(*seq)?);
        let sent_ns = u64::from(number(*late)?) << 32 | u64::from(number(*early)?);
        let sender = (who & 0xFFFF) as u16;
        Some(Self { run: (who >> 16) as u16, sender, seq, sent_ns })
    }
}

/// Eight letters, most significant first.
fn letters(value: u32) -> [u8; 8] {
    let mut word = [0; 8];
    for (index, letter) in word.iter_mut().enumerate() {
        *letter = b'a' + (value >> (28 - 4 * index) & 0xF) as u8;
    }
    word
}

/// The number that eight letters stand for. All eight are checked and packed at once.
#[inline]
fn number(word: [u8; 8]) -> Option<u32> {
    const FIRST: u64 = u64::from_be_bytes([b'a'; 8]);
    const HIGH: u64 = u64::from_be_bytes([0xF0; 8]);
    let digits = u64::from_be_bytes(word).wrapping_sub(FIRST);
    if digits & HIGH != 0 {
        return None;
    }
    let pairs = (digits | digits >> 4) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs | pairs >> 8) & 0x0000_FFFF_0000_FFFF;
    Some(((fours | fours >> 16) & 0xFFFF_FFFF) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for value in [0, 1, 0x1234_5678, 0x9ABC_DEF0, u32::MAX] {
            let marker = Marker {
                run: 0xBEEF,
                sender: 513,
                seq: value,
                sent_ns: u64::from(value) << 31 | 0x1_0000_0001,
            };
            let mut place = [0; LEN];
            marker.write(&mut place);
            assert!(place.iter().all(u8::is_ascii_alphabetic), "{place:?}");
            assert_eq!(Marker::read(&place), Some(marker));
        }
    }

    #[test]
    fn every_other_byte_in_any_place_is_refused() {
        let marker = Marker { run: 1, sender: 2, seq: 3, sent_ns: 4 };
        let mut place = [0; LEN];
        marker.write(&mut place);
        for index in 0..LEN {
            for byte in 0..=255_u8 {
                let mut bent = place;
                bent[index] = byte;
                let is_letter = (b'a'..=b'p').contains(&byte);
                let expected = if index < 8 { byte == PREFIX[index] } else { is_letter };
                assert_eq!(Marker::read(&bent).is_some(), expected, "{byte} at {index}");
            }
        }
        assert_eq!(Marker::read(&place[..LEN - 1]), None);
    }
}
