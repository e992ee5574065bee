//! A seeded source of damage.

use cot_core::generate::Traffic;

/// What mutations put in besides single bytes.
const DICTIONARY: [&str; 40] = [
    "<",
    ">",
    "</event>",
    "<event ",
    "<event>",
    "</event >",
    "<!--",
    "-->",
    "--",
    "<![CDATA[",
    "]]>",
    "]]",
    "&",
    "&#0;",
    "&#x41;",
    "&foo;",
    "&amp;",
    "\"",
    "'",
    " x='1'",
    " x=\"1\"",
    "<!DOCTYPE a>",
    "\u{FFFF}",
    "\u{1}",
    "\0",
    "é",
    "語",
    "<?xml version='1.0'?>",
    "<?p ?>",
    "?>",
    "<a>",
    "</a>",
    "<a/>",
    " xmlns:p='q'",
    " p:a='1'",
    "<detail>",
    "</detail>",
    "\n",
    "\t",
    "=",
];

/// A small random number generator: the same numbers on every machine.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    /// A number below `bound`, which is not zero.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next()).unwrap() % bound
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Events of every kind: generated traffic, and made ones with every construct there is.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Traffic::new(11).mix(60);
    let event = |body: &str| {
        format!(
            "<event version='2.0' uid='A.1' type='a-f-G-U-C' how='m-g' time='2026-01-01T00:00:00Z' \
             start='2026-01-01T00:00:00Z' stale='2026-01-01T00:05:00Z'>\
             <point lat='1.5' lon='-2' hae='0' ce='9.9' le='NaN'/>{body}</event>"
        )
        .into_bytes()
    };
    seeds.extend([
        event(""),
        event("<detail/>"),
        event("<detail><remarks><![CDATA[a < b]]></remarks><!-- note --><?p q?></detail>"),
        event("<detail><marti/><marti><dest callsign='B &amp; C'/><dest uid='1'/></marti></detail>"),
        event("<detail><marti><dest uid='x' callsign='y'/><dest/></marti><marti><dest group='g'/></marti></detail>"),
        event("<detail xmlns:p='q'><p:a p:b='1'/><link uid='L' type='t' relation='p-p'/></detail>"),
        event("<detail><TakControl><TakRequest version='1'/></TakControl><archive/></detail>"),
        event("<detail><__chat id='R' chatroom='R' messageId='m'><chatgrp uid0='a' uid1='b' id='R'/></__chat></detail>"),
        event("<detail><__chatreceipt id='x&#10;y'/><emergency cancel='true'>A</emergency></detail>"),
        event("<detail><_flow-tags_ S='1' T='2'/><ackresponse/><__forcedelete/></detail>"),
        event("<contact callsign='out'/><detail\n\t><contact\ncallsign = 'a\r\nb'\tendpoint='e' /></detail >"),
        event("<detail>&lt;&#65;</detail><detail><contact callsign='second'/></detail>"),
    ]);
    seeds
}

/// Damages an event in one to three places.
pub(crate) fn mutate(rng: &mut Rng, event: &[u8]) -> Vec<u8> {
    let mut bytes = event.to_vec();
    for _ in 0..=rng.below(3) {
        let at = rng.below(bytes.len() + 1);
        let end = (at + 1 + rng.below(8)).min(bytes.len());
        match rng.below(6) {
            0 => drop(bytes.drain(at..end)),
            1 if at < bytes.len() => {
                bytes[at] = rng.pick(b"<>&'\"/=!-?]; \tax0:\x80\xEF\x01").to_owned();
            }
            2 => {
                // Two identical pieces are what duplicate attributes are made of.
                let copy = bytes[at..end].to_vec();
                drop(bytes.splice(end..end, copy));
            }
            3 => bytes.truncate(at),
            _ => drop(bytes.splice(at..at, rng.pick(&DICTIONARY).bytes())),
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}
