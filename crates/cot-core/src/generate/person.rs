//! People with devices, who move.

use std::fmt;

use super::pen::Hand;
use super::rng::Rng;
use crate::{DEFAULT_TEAM, ROLES, TEAMS};

/// The client program a person uses; it decides the shape of the person's events.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Client {
    /// Android.
    #[default]
    Atak,
    /// iPhone and iPad.
    Itak,
    /// A browser.
    WebTak,
    /// Windows.
    WinTak,
}

/// Someone who carries a TAK client and moves about.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Person {
    /// The device's uid, in the form its client program uses.
    pub uid: String,
    /// Some callsigns hold blanks, ampersands or characters beyond ASCII.
    pub callsign: String,
    /// The team; mostly Cyan, the default.
    pub team: String,
    /// The role within the team.
    pub role: String,
    /// The program this person uses.
    pub client: Client,
    pub(super) hand: Hand,
    pub(super) device: &'static str,
    pub(super) os: &'static str,
    pub(super) version: &'static str,
    /// The last two bytes of the address on the local network.
    pub(super) host: (usize, usize),
    pub(super) phone: Option<usize>,
    pub(super) has_gps: bool,
    /// Prints coordinates with all digits of a `double`, as ATAK before 4.3 did.
    pub(super) full_digits: bool,
    /// Reports have passed another server on their way.
    pub(super) has_flow_tag: bool,
    pub(super) motion: Motion,
    pub(super) rng: Rng,
}

/// Where a person is and where they are going.
#[derive(Clone, Copy, Debug)]
pub(super) struct Motion {
    pub(super) lat: f64,
    pub(super) lon: f64,
    pub(super) hae: f64,
    /// Metres per second.
    pub(super) speed: f64,
    /// Degrees from north.
    pub(super) course: f64,
    /// Percent.
    pub(super) battery: f64,
    at_ms: Option<i64>,
}

const WORDS: [&str; 16] = [
    "HAWK",
    "ROOK",
    "VIPER",
    "MAPLE",
    "ORCA",
    "NOMAD",
    "CEDAR",
    "FALCON",
    "BISON",
    "COMET",
    "LYNX",
    "Rescue",
    "Shepherd",
    "ladder",
    "Overwatch",
    "ANVIL",
];
/// Callsigns that catch whoever forgets to escape or to count in bytes.
const HARD_WORDS: [&str; 10] = [
    "Ops & Plans",
    "R&D",
    "Zoë",
    "Łukasz",
    "Équipe",
    "Søren",
    "Рысь",
    "東",
    "O'Neil",
    "K9 \"Rex\"",
];
const ATAK_DEVICES: [&str; 6] = [
    "SAMSUNG SM-G998U",
    "SAMSUNG SM-S911B",
    "GOOGLE PIXEL 7",
    "XIAOMI 2201117TG",
    "MOTOROLA MOTO G",
    "SAMSUNG SM-T575",
];
const ATAK_VERSIONS: [&str; 4] = [
    "4.10.0.23 (a6f2b8c1).1701345120-CIV",
    "5.1.0.11 (0c8d4e77)[playstore].1717420800-CIV",
    "5.4.0.16 (9b21f3da).1744902113-CIV",
    "4.8.1.5 (31d07e5a).1681940321-CIV",
];
/// Where the crowd is: open country, kilometres from any border.
const HOME: (f64, f64) = (46.8, 9.8);
/// Half the side of the square they stay in, in degrees.
const RANGE: f64 = 0.15;
const METRES_PER_DEGREE: f64 = 111_320.0;

impl Person {
    /// Makes person number `index` of the crowd that `seed` stands for.
    pub(super) fn new(seed: u64, index: usize) -> Self {
        let mut rng = Rng::fork(seed, index);
        let client = match rng.below(100) {
            0..70 => Client::Atak,
            70..82 => Client::Itak,
            82..94 => Client::WinTak,
            _ => Client::WebTak,
        };
        let (device, os, version) = program(client, &mut rng);
        Self {
            uid: uid(client, &mut rng),
            callsign: callsign(index, &mut rng),
            team: if rng.chance(55) { DEFAULT_TEAM } else { rng.pick(&TEAMS) }.to_owned(),
            role: if rng.chance(75) { "Team Member" } else { rng.pick(&ROLES) }.to_owned(),
            client,
            hand: hand(client, &mut rng),
            device,
            os,
            version,
            host: (rng.below(256), 1 + rng.below(254)),
            phone: rng.chance(20).then(|| 5_550_100 + rng.below(100)),
            has_gps: client != Client::WebTak && rng.chance(85),
            full_digits: rng.chance(65),
            has_flow_tag: rng.chance(47),
            motion: Motion::new(&mut rng),
            rng,
        }
    }

    /// Moves to where the person is at `now_ms`. Time that runs backwards moves nobody.
    pub(super) fn walk(&mut self, now_ms: i64) {
        let (rng, motion) = (&mut self.rng, &mut self.motion);
        let elapsed_ms = now_ms.saturating_sub(motion.at_ms.unwrap_or(now_ms)).clamp(0, 600_000);
        motion.at_ms = Some(now_ms);
        let seconds = elapsed_ms as f64 / 1000.0;
        if motion.speed > 0.0 {
            motion.course = (motion.course + rng.between(-20.0, 20.0)).rem_euclid(360.0);
        }
        let (north, east) = (motion.course.to_radians().cos(), motion.course.to_radians().sin());
        let degrees = motion.speed * seconds / METRES_PER_DEGREE;
        motion.lat += degrees * north;
        motion.lon += degrees * east / HOME.0.to_radians().cos();
        if (motion.lat - HOME.0).abs() > RANGE || (motion.lon - HOME.1).abs() > RANGE {
            motion.lat = motion.lat.clamp(HOME.0 - RANGE, HOME.0 + RANGE);
            motion.lon = motion.lon.clamp(HOME.1 - RANGE, HOME.1 + RANGE);
            motion.course = (motion.course + 180.0).rem_euclid(360.0);
        }
        motion.hae += rng.between(-0.8, 0.8);
        motion.battery = (motion.battery - seconds / 500.0).max(1.0);
    }

    /// `ip:port:proto`, the address a device names for direct messages on a local network.
    pub(super) fn address(&self) -> Address {
        Address(self.host)
    }
}

/// Prints a private address with the port and protocol of direct messages.
pub(super) struct Address((usize, usize));

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (high, low) = self.0;
        write!(f, "192.168.{high}.{low}:4242:tcp")
    }
}

impl Motion {
    fn new(rng: &mut Rng) -> Self {
        Self {
            lat: HOME.0 + rng.between(-RANGE, RANGE),
            lon: HOME.1 + rng.between(-RANGE, RANGE),
            hae: rng.between(380.0, 2400.0),
            speed: if rng.chance(40) { 0.0 } else { rng.between(0.4, 14.0) },
            course: rng.between(0.0, 360.0),
            battery: rng.between(15.0, 100.0),
            at_ms: None,
        }
    }
}

/// Device, operating system and version as `<takv>` names them.
fn program(client: Client, rng: &mut Rng) -> (&'static str, &'static str, &'static str) {
    match client {
        Client::Atak => {
            (rng.pick(&ATAK_DEVICES), rng.pick(&["30", "33", "34", "35"]), rng.pick(&ATAK_VERSIONS))
        }
        Client::Itak => {
            (rng.pick(&["iPhone", "iPad"]), rng.pick(&["17.4.1", "18.2"]), "2.12.3.1024")
        }
        Client::WebTak => ("Chrome - 134", "Windows - 10", "4.12.1"),
        Client::WinTak => {
            (rng.pick(&["DELL INC.", "LENOVO"]), "Microsoft Windows 11 Pro", "5.2.0.157")
        }
    }
}

fn uid(client: Client, rng: &mut Rng) -> String {
    match client {
        Client::Atak => format!("ANDROID-{:016x}", rng.next()),
        Client::Itak => format!("{:X}", rng.uuid()),
        Client::WebTak => rng.uuid().to_string(),
        Client::WinTak => {
            let mut part = || 1_000_000_000 + rng.below(3_000_000_000);
            format!("S-1-5-21-{}-{}-{}-1001", part(), part(), part())
        }
    }
}

/// The number makes the callsign unique in its crowd.
fn callsign(index: usize, rng: &mut Rng) -> String {
    let hard = rng.chance(12);
    let word = if hard { rng.pick(&HARD_WORDS) } else { rng.pick(&WORDS) };
    let separator = rng.pick(&["-", "-", " ", "_"]);
    format!("{word}{separator}{}", index + 1)
}

fn hand(client: Client, rng: &mut Rng) -> Hand {
    const FULL: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
    const SINGLE: &str = "<?xml version='1.0' encoding='UTF-8' standalone='yes'?>\n";
    let base = Hand {
        declaration: "",
        quote: '"',
        blank: false,
        references: false,
        fraction: 3,
        access: false,
    };
    match client {
        Client::Atak if rng.chance(20) => {
            Hand { declaration: SINGLE, quote: '\'', access: true, ..base }
        }
        Client::Atak if rng.chance(15) => {
            Hand { declaration: "<?xml version=\"1.0\"?>\n", references: true, ..base }
        }
        Client::Atak => {
            Hand { declaration: rng.pick(&["", FULL, FULL]), access: rng.chance(60), ..base }
        }
        Client::Itak => Hand { blank: true, fraction: rng.pick(&[0, 2]), ..base },
        Client::WebTak => Hand { declaration: FULL, fraction: 0, ..base },
        Client::WinTak => Hand { quote: rng.pick(&['"', '\'']), blank: true, fraction: 2, ..base },
    }
}
