//! The teams and roles that TAK clients offer in `<__group name role>`.

/// The fourteen team colours, in the order in which clients list them.
///
/// A team is what its members say it is: other values occur and are valid.
pub const TEAMS: [&str; 14] = [
    "White",
    "Yellow",
    "Orange",
    "Magenta",
    "Red",
    "Maroon",
    "Purple",
    "Dark Blue",
    "Blue",
    "Cyan",
    "Teal",
    "Green",
    "Dark Green",
    "Brown",
];

/// The team of a client whose user chose none.
pub const DEFAULT_TEAM: &str = "Cyan";

/// The eight standard roles. A custom role comes with one of these beside it.
pub const ROLES: [&str; 8] =
    ["Team Member", "Team Lead", "HQ", "Sniper", "Medic", "Forward Observer", "RTO", "K9"];
