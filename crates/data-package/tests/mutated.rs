//! Archives with bytes changed, cut and moved.

#![expect(clippy::cast_possible_truncation, reason = "small numbers")]
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a failure here fails the test")]

mod support;

use std::io::Cursor;

use data_package::{Limits, PackageBuilder, inspect};
use support::{Raw, archive, built, end64, look, manifest};

const MUTATIONS: u64 = 10_000;

/// A generator of numbers that is the same everywhere (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let mut builder = PackageBuilder::new("seed");
    builder.add_reader("a/b.txt", &[b'a'; 500][..]).unwrap();
    builder.add_reader("c.png", &b"png"[..]).unwrap();
    let small = built(builder);
    let large = {
        let entries = [manifest(&["a"]), Raw::stored("a", b"1").claiming(1 << 40)];
        let mut bytes = archive(&entries);
        let end = bytes.split_off(bytes.len() - 22);
        let number = |at: usize| u32::from_le_bytes(end[at..at + 4].try_into().unwrap()).into();
        let (len, offset, at) = (number(12), number(16), bytes.len() as u64);
        bytes.extend(end64(2, len, offset, at));
        bytes
    };
    assert!(look(&small).unwrap().warnings.is_empty());
    assert!(look(&large).unwrap().manifest.is_some());
    vec![small, large]
}

fn mutate(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    for _ in 0..=numbers.below(4) {
        // Most of what matters is at the end.
        let span = if numbers.below(2) == 0 { bytes.len() } else { bytes.len().min(200) };
        let at = bytes.len() - span + numbers.below(span);
        let to = (at + numbers.below(9)).min(bytes.len());
        match numbers.below(7) {
            0 => bytes[at..to].fill(0xff),
            1 => bytes[at..to].fill(0),
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..to)),
            4 => {
                let copied = bytes[at..to].to_vec();
                let into = numbers.below(bytes.len());
                bytes.splice(into..into, copied);
            }
            5 if at < bytes.len() => bytes[at] = numbers.below(256) as u8,
            _ if at < bytes.len() => bytes[at] ^= 1 << numbers.below(8),
            _ => {}
        }
        if bytes.is_empty() {
            return;
        }
    }
}

#[test]
fn no_mutation_of_an_archive_is_more_than_an_error() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let (seeds, mut read) = (seeds(), 0);
    for i in 0..MUTATIONS {
        let mut bytes = seeds[i as usize % seeds.len()].clone();
        mutate(&mut bytes, &mut numbers);
        read += u64::from(inspect(Cursor::new(&bytes), &Limits::default()).is_ok());
    }
    println!("{read} of {MUTATIONS} were still archives");
    assert!((MUTATIONS / 10..MUTATIONS).contains(&read), "{read}");
}
