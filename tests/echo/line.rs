//! A port's 2-wire line with µ-law in both directions.

use ringside::{
    audio::g711::{Law, compress, expand},
    sim::hybrid::{EchoPath, Hybrid},
};

/// The echo paths of ITU-T G.168 annex D: name, then the impulse response at 8 kHz.
const PATHS: &str = include_str!("../data/g168/echo_paths.csv");

/// What a period of the line is made of.
pub(crate) struct Period {
    /// What went toward the phone.
    pub(crate) far: [i16; 80],
    /// What came back.
    pub(crate) heard: [i16; 80],
    /// Its part that is echo, before companding.
    pub(crate) echo: [f32; 80],
    /// Its part that is the near talker, before companding.
    pub(crate) near: [f32; 80],
}

/// A line.
pub(crate) struct Line(Hybrid);

impl Line {
    /// A line whose echo is `erl_db` weaker (white noise) and comes back `delay_samples` late; `name` is D2 to D9.
    pub(crate) fn new(name: &str, erl_db: f32, delay_samples: usize) -> Self {
        let row = PATHS.lines().find(|line| line.split(',').next() == Some(name)).expect("a path of G.168");
        let shape: Vec<f32> = row.split(',').skip(2).map(|tap| tap.parse().expect("a number")).collect();
        let norm = shape.iter().map(|tap| tap * tap).sum::<f32>().sqrt();
        let gain = 10_f32.powf(-erl_db / 20.0) / norm;
        let mut taps = vec![0.0; delay_samples];
        taps.extend(shape.iter().map(|tap| tap * gain));
        Self(Hybrid::new(EchoPath::impulse_response(taps).expect("short enough")))
    }

    /// One period of both talkers.
    pub(crate) fn carry(&mut self, far: &[f32], near: &[f32]) -> Period {
        let far = std::array::from_fn(|i| mu_law(far[i]));
        let near: [f32; 80] = std::array::from_fn(|i| near[i]);
        let echo = far.map(|sent| self.0.echo(sent));
        let heard = std::array::from_fn(|i| mu_law(echo[i] + near[i]));
        Period { far, heard, echo, near }
    }
}

/// A sample after companding.
fn mu_law(sample: f32) -> i16 {
    expand(Law::Mu, compress(Law::Mu, sample.round() as i16))
}
