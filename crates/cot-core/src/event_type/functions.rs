//! Words for what things in the world do: the common part of MIL-STD-2525B as CoT spells it.

use super::Dimension;

/// The words for `code`, the atoms behind the dimension, or for the most special of its general
/// cases that has some.
pub(super) fn find(dimension: Dimension, code: &str) -> Option<&'static str> {
    let table = table(dimension);
    let mut code = code;
    loop {
        if let Ok(at) = table.binary_search_by_key(&code, |&(name, _)| name) {
            return table.get(at).map(|&(_, words)| words);
        }
        code = code.rsplit_once('-')?.0;
    }
}

/// The functions of one dimension, sorted by code.
pub(super) const fn table(dimension: Dimension) -> &'static [(&'static str, &'static str)] {
    match dimension {
        Dimension::Air => AIR,
        Dimension::Ground => GROUND,
        Dimension::Other => &[],
        Dimension::Space => SPACE,
        Dimension::SpecialOperations => SPECIAL_OPERATIONS,
        Dimension::Subsurface => SUBSURFACE,
        Dimension::Surface => SURFACE,
    }
}

const AIR: &[(&str, &str)] = &[
    ("C", "civil aircraft"),
    ("C-F", "civil fixed wing aircraft"),
    ("C-F-q", "civil drone"),
    ("C-H", "civil helicopter"),
    ("C-L", "civil airship"),
    ("M", "military aircraft"),
    ("M-F", "fixed wing aircraft"),
    ("M-F-A", "attack aircraft"),
    ("M-F-B", "bomber"),
    ("M-F-C", "cargo aircraft"),
    ("M-F-C-L", "light cargo aircraft"),
    ("M-F-C-M", "medium cargo aircraft"),
    ("M-F-D", "command post aircraft"),
    ("M-F-F", "fighter"),
    ("M-F-F-I", "interceptor"),
    ("M-F-H", "search and rescue aircraft"),
    ("M-F-J", "electronic countermeasures aircraft"),
    ("M-F-K", "tanker aircraft"),
    ("M-F-M", "special operations aircraft"),
    ("M-F-O", "medical evacuation aircraft"),
    ("M-F-P", "patrol aircraft"),
    ("M-F-Q", "fixed wing drone"),
    ("M-F-R", "reconnaissance aircraft"),
    ("M-F-R-W", "airborne early warning aircraft"),
    ("M-F-S", "antisubmarine aircraft"),
    ("M-F-T", "trainer aircraft"),
    ("M-F-U", "utility aircraft"),
    ("M-H", "helicopter"),
    ("M-H-A", "attack helicopter"),
    ("M-H-C", "cargo helicopter"),
    ("M-H-D", "command helicopter"),
    ("M-H-H", "search and rescue helicopter"),
    ("M-H-O", "medical evacuation helicopter"),
    ("M-H-Q", "rotary wing drone"),
    ("M-H-R", "reconnaissance helicopter"),
    ("M-H-S", "antisubmarine helicopter"),
    ("M-H-U", "utility helicopter"),
    ("M-L", "airship"),
    ("W", "air weapon"),
    ("W-D", "decoy"),
    ("W-M", "missile in flight"),
    ("W-M-A", "air launched missile"),
    ("W-M-S", "surface launched missile"),
];

const GROUND: &[(&str, &str)] = &[
    ("E", "equipment"),
    ("E-S", "sensor"),
    ("E-S-E", "emplaced sensor"),
    ("E-S-R", "radar"),
    ("E-V", "vehicle"),
    ("E-V-A", "armoured vehicle"),
    ("E-V-A-A", "armoured personnel carrier"),
    ("E-V-A-C", "armoured command vehicle"),
    ("E-V-A-I", "infantry fighting vehicle"),
    ("E-V-A-L", "light armoured vehicle"),
    ("E-V-A-T", "tank"),
    ("E-V-A-T-H", "heavy tank"),
    ("E-V-A-T-L", "light tank"),
    ("E-V-A-T-M", "medium tank"),
    ("E-V-C", "civilian vehicle"),
    ("E-V-C-U", "civilian utility vehicle"),
    ("E-V-E", "engineer vehicle"),
    ("E-V-E-B", "bridge vehicle"),
    ("E-V-E-D", "bulldozer"),
    ("E-V-T", "train locomotive"),
    ("E-V-U", "utility vehicle"),
    ("E-V-U-B", "bus"),
    ("E-V-U-L", "limited cross-country vehicle"),
    ("E-V-U-S", "semi-trailer truck"),
    ("E-V-U-X", "cross-country vehicle"),
    ("E-V-m", "medical vehicle"),
    ("E-W", "weapon"),
    ("E-W-A", "air defence gun"),
    ("E-W-D", "direct fire gun"),
    ("E-W-G", "antitank gun"),
    ("E-W-H", "howitzer"),
    ("E-W-M", "missile launcher"),
    ("E-W-M-A", "air defence missile launcher"),
    ("E-W-M-S", "surface missile launcher"),
    ("E-W-M-T", "antitank missile launcher"),
    ("E-W-O", "mortar"),
    ("E-W-R", "rifle or automatic weapon"),
    ("E-W-S", "single rocket launcher"),
    ("E-W-T", "antitank rocket launcher"),
    ("E-W-X", "multiple rocket launcher"),
    ("E-W-Z", "grenade launcher"),
    ("E-X", "special equipment"),
    ("E-X-F", "flame thrower"),
    ("E-X-M", "land mine"),
    ("E-X-N", "NBC equipment"),
    ("I", "installation"),
    ("I-B", "military base"),
    ("I-B-A", "airport or airbase"),
    ("I-B-N", "seaport or naval base"),
    ("I-E", "equipment manufacture"),
    ("I-G", "government building"),
    ("I-M", "military materiel facility"),
    ("I-P", "processing facility"),
    ("I-R", "raw material production"),
    ("I-T", "transport facility"),
    ("I-U", "utility facility"),
    ("I-U-E", "electric power facility"),
    ("I-U-P", "water service"),
    ("I-U-R", "research facility"),
    ("I-U-T", "telecommunications facility"),
    ("I-X", "medical facility"),
    ("I-X-H", "hospital"),
    ("I-i", "public installation"),
    ("U", "unit"),
    ("U-C", "combat unit"),
    ("U-C-A", "armour unit"),
    ("U-C-A-A", "antiarmour unit"),
    ("U-C-A-T", "tank unit"),
    ("U-C-A-W", "wheeled armour unit"),
    ("U-C-D", "air defence unit"),
    ("U-C-D-M", "air defence missile unit"),
    ("U-C-E", "engineer unit"),
    ("U-C-F", "field artillery unit"),
    ("U-C-F-H", "howitzer unit"),
    ("U-C-F-M", "mortar unit"),
    ("U-C-F-R", "rocket unit"),
    ("U-C-F-S", "target acquisition unit"),
    ("U-C-I", "infantry unit"),
    ("U-C-I-A", "airborne infantry unit"),
    ("U-C-I-I", "infantry fighting vehicle unit"),
    ("U-C-I-L", "light infantry unit"),
    ("U-C-I-M", "motorized infantry unit"),
    ("U-C-I-N", "naval infantry unit"),
    ("U-C-I-O", "mountain infantry unit"),
    ("U-C-I-S", "air assault infantry unit"),
    ("U-C-I-Z", "mechanized infantry unit"),
    ("U-C-I-d", "dismounted infantry unit"),
    ("U-C-M", "missile unit"),
    ("U-C-R", "reconnaissance unit"),
    ("U-C-R-H", "horse reconnaissance unit"),
    ("U-C-R-V", "cavalry reconnaissance unit"),
    ("U-C-S", "internal security force"),
    ("U-C-V", "aviation unit"),
    ("U-C-V-F", "fixed wing aviation unit"),
    ("U-C-V-R", "rotary wing aviation unit"),
    ("U-C-V-S", "search and rescue aviation unit"),
    ("U-C-V-U", "unmanned aviation unit"),
    ("U-H", "headquarters"),
    ("U-S", "combat service support unit"),
    ("U-S-A", "administrative unit"),
    ("U-S-M", "medical unit"),
    ("U-S-M-T", "medical treatment unit"),
    ("U-S-S", "supply unit"),
    ("U-S-T", "transport unit"),
    ("U-S-X", "maintenance unit"),
    ("U-U", "combat support unit"),
    ("U-U-A", "NBC unit"),
    ("U-U-E", "explosive ordnance disposal unit"),
    ("U-U-I", "information warfare unit"),
    ("U-U-L", "law enforcement unit"),
    ("U-U-L-C", "civilian police unit"),
    ("U-U-L-M", "military police unit"),
    ("U-U-L-f", "fire brigade unit"),
    ("U-U-M", "military intelligence unit"),
    ("U-U-P", "landing support unit"),
    ("U-U-S", "signal unit"),
    ("U-i", "incident unit"),
];

const SPACE: &[(&str, &str)] = &[
    ("L", "launch vehicle"),
    ("S", "satellite"),
    ("T", "space station"),
    ("V", "crewed spacecraft"),
];

const SPECIAL_OPERATIONS: &[(&str, &str)] = &[
    ("A", "aviation unit"),
    ("A-F", "fixed wing aviation unit"),
    ("A-H", "rotary wing aviation unit"),
    ("B", "support unit"),
    ("G", "ground unit"),
    ("G-P", "psychological operations unit"),
    ("G-R", "ranger unit"),
    ("G-S", "special forces unit"),
    ("N", "naval unit"),
    ("N-S", "SEAL unit"),
];

const SUBSURFACE: &[(&str, &str)] = &[
    ("N", "diver or natural object"),
    ("N-D", "diver"),
    ("S", "submarine"),
    ("S-C", "conventional submarine"),
    ("S-N", "nuclear submarine"),
    ("S-U", "unmanned underwater vehicle"),
    ("W", "underwater weapon"),
    ("W-M", "sea mine"),
    ("W-T", "torpedo"),
];

const SURFACE: &[(&str, &str)] = &[
    ("C", "combatant"),
    ("C-A", "amphibious warfare ship"),
    ("C-H", "hovercraft"),
    ("C-L", "line combatant"),
    ("C-L-B-B", "battleship"),
    ("C-L-C-C", "cruiser"),
    ("C-L-C-V", "carrier"),
    ("C-L-D-D", "destroyer"),
    ("C-L-F-F", "frigate or corvette"),
    ("C-M", "mine warfare vessel"),
    ("C-P", "patrol vessel"),
    ("C-U", "unmanned surface vehicle"),
    ("N", "noncombatant vessel"),
    ("N-M", "hospital ship"),
    ("N-R", "replenishment ship"),
    ("N-S", "service vessel"),
    ("X", "nonmilitary vessel"),
    ("X-F", "fishing vessel"),
    ("X-H", "civil hovercraft"),
    ("X-L", "law enforcement vessel"),
    ("X-M", "merchant vessel"),
    ("X-M-C", "cargo ship"),
    ("X-M-F", "ferry"),
    ("X-M-O", "tanker ship"),
    ("X-M-P", "passenger ship"),
    ("X-M-T", "tug"),
    ("X-R", "leisure craft"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_without_duplicates() {
        for table in [
            AIR,
            GROUND,
            SPACE,
            SPECIAL_OPERATIONS,
            SUBSURFACE,
            SURFACE,
            super::super::names::NAMES,
        ] {
            for pair in table.windows(2) {
                assert!(pair[0].0 < pair[1].0, "{} before {}", pair[0].0, pair[1].0);
            }
        }
    }
}
