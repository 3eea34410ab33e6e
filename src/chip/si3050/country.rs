//! What a country's lines ask of the DAA: hook speed, ring detector, DC and AC termination (values of DAHDI's table).
//!
//! The Si3019 has neither the DCT nor the single ACT impedance of older parts: DCV, MINI and ILIM shape its DC load, ACIM
//! is its impedance, and ACT stays clear everywhere.

/// The line words of a country.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Termination {
    /// OHS: goes on hook slowly, 26 ms (Australia).
    pub ohs: bool,
    /// OHS2: goes on hook in 3 ms (ETSI) instead of less than 0.5 ms.
    pub ohs2: bool,
    /// ACT: impedance select of older parts, clear with a Si3019.
    pub act: bool,
    /// RZ: synthesized ringer impedance.
    pub rz: bool,
    /// RT: rings from 19.35 to 23.65 V rms on instead of 13.5 to 16.5 V.
    pub rt: bool,
    /// ILIM: the loop current is limited to 60 mA (TBR 21).
    pub ilim: bool,
    /// MINI: least loop current, 0..=3 for 10, 12, 14, 16 mA (currents unverified).
    pub mini: u8,
    /// DCV: voltage between TIP and RING, 0..=3 for 3.1, 3.2, 3.35, 3.5 V (voltages unverified).
    pub dcv: u8,
    /// ACIM: impedance, 0..=15; 0 is 600 Ω, 2 TBR 21, 15 global complex.
    pub acim: u8,
}

/// Lines of 600 Ω, lower ring threshold.
const PLAIN: Termination = Termination {
    ohs: false,
    ohs2: false,
    act: false,
    rz: false,
    rt: false,
    ilim: false,
    mini: 0,
    dcv: 3,
    acim: 0,
};

/// TIA-968, the United States.
pub const FCC: Termination = Termination { rt: true, ..PLAIN };
/// ETSI TBR 21 as it is, fast hook switch.
pub const TBR21: Termination = Termination { ilim: true, acim: 2, ..PLAIN };
/// TBR 21 with the hook switch of ETSI ES 203 021.
pub const ETSI: Termination = Termination { ohs2: true, ..TBR21 };
/// Low-voltage termination: 600 Ω at a smaller DC voltage.
const LOW_VOLTAGE: Termination = Termination { dcv: 0, mini: 3, ..PLAIN };

/// ISO 3166-1 alpha-2 codes and their words.
const COUNTRIES: [(&[&str], Termination); 15] = [
    (&["US"], FCC),
    (
        &[
            "AR", "CA", "CL", "CO", "EC", "SV", "GU", "HK", "HU", "ID", "KZ", "KW", "MO", "MX", "PE", "RO",
            "SA", "SG", "KR", "AE", "YE",
        ],
        PLAIN,
    ),
    (&["BE", "DK", "FI", "FR", "GR", "IS", "IE", "IT", "LU", "NL", "NO", "PT", "ES", "SE", "CH"], ETSI),
    (&["BR", "EG", "JP", "JO", "MY", "OM", "PK", "PH", "RU", "SY", "TW", "TH"], LOW_VOLTAGE),
    (&["BH", "HR", "CY", "CZ", "IL", "LV", "LB", "MT", "MA", "NG"], TBR21),
    (&["AT", "DE"], Termination { acim: 3, ..ETSI }),
    (&["IN", "NZ"], Termination { acim: 4, ..PLAIN }),
    (&["AU"], Termination { ohs: true, acim: 3, ..LOW_VOLTAGE }),
    (&["BG"], Termination { acim: 3, ..TBR21 }),
    (&["CN"], Termination { acim: 15, ..LOW_VOLTAGE }),
    (&["PL"], Termination { rz: true, rt: true, ..PLAIN }),
    (&["SK"], Termination { acim: 3, ..PLAIN }),
    (&["SI"], Termination { acim: 2, ..PLAIN }),
    (&["ZA"], Termination { ohs: true, rz: true, acim: 3, ..PLAIN }),
    (&["GB"], Termination { acim: 5, ..ETSI }),
];

/// Impedances that a Si3018 has too.
const SI3018_ACIM: [u8; 4] = [0, 3, 4, 15];

impl Termination {
    /// The words of a country by its ISO 3166-1 alpha-2 code; `None` if the table does not have it.
    #[must_use]
    pub fn of_country(iso: &str) -> Option<Self> {
        COUNTRIES.iter().find(|(codes, _)| codes.contains(&iso)).map(|&(_, words)| words)
    }

    /// R16.
    #[must_use]
    pub fn international1(self) -> u8 {
        bit(self.ohs, 6) | bit(self.act, 5) | bit(self.rz, 1) | bit(self.rt, 0)
    }

    /// R26.
    #[must_use]
    pub fn dc(self) -> u8 {
        (self.dcv & 3) << 6 | (self.mini & 3) << 4 | bit(self.ilim, 1)
    }

    /// R30.
    #[must_use]
    pub fn ac(self) -> u8 {
        self.acim & 0x0F
    }

    /// R31: full scale, off-hook counter of 128 ms, 200 Hz high-pass, voltages of 3 V and less shown.
    #[must_use]
    pub fn daa3(self) -> u8 {
        0xA3 | bit(self.ohs2, 3)
    }

    /// Whether a line side other than the Si3019 can do it.
    pub(super) fn fits_si3018(self) -> bool {
        SI3018_ACIM.contains(&self.acim)
    }
}

fn bit(set: bool, place: u8) -> u8 {
    u8::from(set) << place
}
