//! One step of affine projection: the smallest change of the taps that explains the last [`ORDER`] errors.
//!
//! NLMS explains one error at a time and so learns speech, whose neighbouring samples are alike, along a few loud
//! directions only. A projection over [`ORDER`] samples at once whitens what it is given: it learns as fast from a vowel
//! as from noise, and since it moves once in a block it costs no more (Ozeki and Umeda 1984; the regularisation as the
//! ratio of noise to misalignment makes it a Kalman filter with a scalar covariance).

use super::kernel::correlate;

/// Errors explained at once; longer than the order to which speech is predictable.
pub(super) const ORDER: usize = 16;

/// Part of the mean diagonal that is always added to it, so that `f32` is enough for pure tones.
const LEAST_REGULARISATION: f32 = 3e-6;

/// What a step needs of the far signal.
pub(super) struct Step {
    /// Gain of each row of the far signal.
    pub(super) gains: [f32; ORDER],
    /// Dimensions of the tap space that the step has settled, 0 to [`ORDER`].
    pub(super) settled: f32,
}

/// The step for `errors`. `window` holds the rows of the far signal: `taps + ORDER - 1` samples. `ratio` is the noise energy per sample divided by the misalignment per tap. `None` if the far
/// signal is too degenerate to say anything.
pub(super) fn step(window: &[f32], taps: usize, errors: &[f32; ORDER], ratio: f32) -> Option<Step> {
    let mut matrix = gram(window, taps)?;
    let trace: f32 = (0..ORDER).map(|i| matrix[i][i]).sum();
    let ratio = ratio + trace * (LEAST_REGULARISATION / ORDER as f32) + f32::MIN_POSITIVE;
    for (i, row) in matrix.iter_mut().enumerate() {
        row[i] += ratio;
    }
    let pivots = factor(&mut matrix)?;
    let gains = solve(&matrix, &pivots, errors);
    let settled = pivots.iter().map(|inverse| 1.0 - (ratio * inverse).min(1.0)).sum();
    Some(Step { gains, settled })
}

type Matrix = [[f32; ORDER]; ORDER];

/// Inner products of the rows: the lower triangle.
fn gram(window: &[f32], taps: usize) -> Option<Matrix> {
    let mut matrix = [[0.0; ORDER]; ORDER];
    let newest = window.get(ORDER - 1..ORDER - 1 + taps)?;
    matrix[ORDER - 1] = correlate::<ORDER>(newest, window);
    let (entering, leaving) = (window.get(..ORDER)?, window.get(taps..taps + ORDER - 1)?);
    // A row one sample earlier gains a sample at its beginning and loses one at its end.
    for i in (1..ORDER).rev() {
        for j in 1..=i {
            matrix[i - 1][j - 1] =
                matrix[i][j] + entering[i - 1] * entering[j - 1] - leaving[i - 1] * leaving[j - 1];
        }
    }
    Some(matrix)
}

/// Factors the matrix in place into `L·D·Lᵀ` with a unit diagonal in `L`; the inverses of `D`. `None` if it is not
/// positive.
fn factor(matrix: &mut Matrix) -> Option<[f32; ORDER]> {
    let mut inverses = [0.0; ORDER];
    for i in 0..ORDER {
        let (above, rest) = matrix.split_at_mut(i);
        let row = &mut rest[0];
        let mut pivot = row[i];
        for (j, other) in above.iter().enumerate() {
            let mut sum = row[j];
            for k in 0..j {
                sum -= row[k] * other[k];
            }
            row[j] = sum;
        }
        for j in 0..i {
            let scaled = row[j] * inverses[j];
            pivot -= row[j] * scaled;
            row[j] = scaled;
        }
        if pivot.is_nan() || pivot <= 0.0 {
            return None;
        }
        inverses[i] = 1.0 / pivot;
    }
    Some(inverses)
}

/// Solves `L·D·Lᵀ·x = right`.
fn solve(lower: &Matrix, inverses: &[f32; ORDER], right: &[f32; ORDER]) -> [f32; ORDER] {
    let mut x = *right;
    for i in 0..ORDER {
        for j in 0..i {
            x[i] -= lower[i][j] * x[j];
        }
    }
    for (value, inverse) in x.iter_mut().zip(inverses) {
        *value *= inverse;
    }
    for i in (0..ORDER).rev() {
        for j in 0..i {
            x[j] -= lower[i][j] * x[i];
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use super::{super::kernel::add_rows, *};

    #[test]
    fn a_step_without_noise_explains_all_of_its_errors() {
        const TAPS: usize = 64;
        let mut state = 9_u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as f32 - 32_768.0
        };
        // Neighbours are alike, as in speech.
        let mut low = 0.0;
        let window: Vec<f32> = (0..TAPS + ORDER)
            .map(|_| {
                low = 0.9 * low + noise();
                low
            })
            .collect();
        let errors: [f32; ORDER] = std::array::from_fn(|_| noise());
        let step = step(&window, TAPS, &errors, 0.0).unwrap();
        assert!(step.settled > 15.0 && step.settled <= 16.0, "{}", step.settled);
        let mut taps = [0.0; TAPS];
        add_rows(&mut taps, &step.gains, &window);
        let explained = correlate::<ORDER>(&taps, &window);
        for (explained, error) in explained.iter().zip(&errors) {
            assert!((explained - error).abs() < 100.0, "{explained} {error}");
        }
    }

    #[test]
    fn noise_makes_steps_small_and_silence_settles_nothing() {
        let window: Vec<f32> = (0..80).map(|n| f32::from(u8::from(n % 23 == 0)) * 1e4).collect();
        let noisy = step(&window, 64, &[100.0; ORDER], 1e12).unwrap();
        assert!(noisy.settled < 0.01 && noisy.gains.iter().all(|gain| gain.abs() < 1e-9));
        let silent = step(&[0.0; 80], 64, &[100.0; ORDER], 1.0).unwrap();
        assert!(silent.settled == 0.0);
        assert!(step(&[f32::NAN; 80], 64, &[100.0; ORDER], 1.0).is_none());
        assert!(step(&[0.0; 8], 64, &[100.0; ORDER], 1.0).is_none());
    }
}
