//! Finds the marks in what a server sends, in a few nanoseconds each.
//!
//! A server that forwards what came sends one event after the other of one length, so the scanner
//! looks where the next mark must be and takes it if the event's end is where it must be as well.
//! Whatever else comes (a declaration, a pong, a reformatted event, half an event) is found by
//! searching `</event>`, and the form of a marked event found so is what is expected next.

use memchr::memmem::Finder;

use crate::marker::{self, Marker, PREFIX};

const END: &[u8; 8] = b"</event>";

/// The form of the latest marked event, counted from the end of the event before it.
#[derive(Debug, Clone, Copy, Default)]
struct Shape {
    len: usize,
    marker_at: usize,
    head: [u8; 8],
}

/// Cuts streams into events and reads their marks.
#[derive(Debug)]
pub(crate) struct Scanner {
    end: Finder<'static>,
    mark: Finder<'static>,
    shape: Shape,
}

impl Scanner {
    pub(crate) fn new() -> Self {
        Self { end: Finder::new(END), mark: Finder::new(&PREFIX), shape: Shape::default() }
    }

    /// Calls `on_event` with each whole event and its mark, if it has one; the length of them all.
    ///
    /// The text of an event begins behind the end of the one before, so declarations and white
    /// space belong to what follows them.
    #[inline]
    pub(crate) fn scan(
        &mut self,
        bytes: &[u8],
        mut on_event: impl FnMut(Option<Marker>, &[u8]),
    ) -> usize {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..) {
            let (marker, len) = match self.expected(rest) {
                Some(marker) => (Some(marker), self.shape.len),
                None => match self.search(rest) {
                    Some(found) => found,
                    None => break,
                },
            };
            let Some(event) = rest.get(..len) else { break };
            on_event(marker, event);
            at += len;
        }
        at
    }

    /// The mark of an event of the known form.
    #[inline]
    fn expected(&self, bytes: &[u8]) -> Option<Marker> {
        let Shape { len, marker_at, head } = self.shape;
        let event = bytes.get(..len)?;
        if event.last_chunk() != Some(END) || event.first_chunk() != Some(&head) {
            return None;
        }
        Marker::read(event.get(marker_at..)?)
    }

    #[cold]
    fn search(&mut self, bytes: &[u8]) -> Option<(Option<Marker>, usize)> {
        let len = self.end.find(bytes)? + END.len();
        let event = bytes.get(..len)?;
        // The prefix alone may also be a callsign or the like.
        let mut places = self.mark.find_iter(event);
        let found = places.find_map(|at| Some((at, Marker::read(event.get(at..)?)?)));
        if let (Some((marker_at, _)), Some(head)) = (found, event.first_chunk()) {
            self.shape = Shape { len, marker_at, head: *head };
        }
        Some((found.map(|(_, marker)| marker), len))
    }
}

/// Longest stretch without an event's end that a server may send. Bytes.
pub(crate) const LONGEST: usize = 1024 * 1024;

const _: () = assert!(marker::LEN < LONGEST, "a mark fits");

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(before: &str, seq: u32) -> Vec<u8> {
        let mut mark = [0; marker::LEN];
        Marker { run: 1, sender: 2, seq, sent_ns: 3 }.write(&mut mark);
        let mark = String::from_utf8(mark.to_vec()).expect("marks are letters");
        format!("{before}<event uid='LOADTEST'><remarks>{mark}</remarks></event>").into_bytes()
    }

    fn seqs(stream: &[u8], cut: usize) -> Vec<Option<u32>> {
        let mut scanner = Scanner::new();
        let mut found = Vec::new();
        let mut carry = Vec::new();
        for chunk in stream.chunks(cut) {
            carry.extend_from_slice(chunk);
            let used = scanner.scan(&carry, |marker, _| found.push(marker.map(|m| m.seq)));
            carry.drain(..used);
        }
        assert!(!carry.windows(8).any(|window| window == END), "a whole event was left");
        found
    }

    #[test]
    fn every_cut_finds_the_same_events() {
        let mut stream = Vec::new();
        let pong = b"<event type='t-x-c-t-r'/></event>";
        for (index, before) in
            ["", "", "", "\n", "<?xml version='1.0'?>\n", "", ""].iter().enumerate()
        {
            stream.extend(marked(before, u32::try_from(index).expect("few")));
            if index == 2 {
                stream.extend_from_slice(pong);
            }
        }
        stream.extend_from_slice(b"<event ");
        let expected = vec![Some(0), Some(1), Some(2), None, Some(3), Some(4), Some(5), Some(6)];
        for cut in 1..stream.len() {
            assert_eq!(seqs(&stream, cut), expected, "cut every {cut} bytes");
        }
    }

    #[test]
    fn a_mark_that_is_no_mark_is_an_event_without_one() {
        let mut event = marked("", 5);
        let at = Finder::new(b"</remarks>").find(&event).expect("marked") - 1;
        event[at] = b'z';
        assert_eq!(seqs(&event, 7), vec![None]);
    }
}
