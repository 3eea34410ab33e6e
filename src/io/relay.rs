//! The coil of the lifeline relay: a GPIO line, found by its name.

use crate::{
    board::Gpio,
    panel::{DeviceError, Relay},
};
use embedded_hal::digital::OutputPin;
use linux_embedded_hal::{
    CdevPin,
    gpio_cdev::{Chip, Line, LineRequestFlags, errors::Error},
};
use std::path::Path;

/// Where the kernel has its GPIO chips.
pub const DEVICES: &str = "/dev";
/// What the kernel shows as the user of the line.
const CONSUMER: &str = "ringside lifeline";
const RESERVED: &str = "free the line: it must not be a gpio-hog of the device tree nor another program's";
const UNNAMED: &str = "name it in [gpio] of the board profile as gpio-line-names of the device tree does";
const DENIED: &str = "check that the chip is there and that this user may open it (udev rule)";

/// A relay behind one output; high energises it. It is released when it is opened and when it is dropped.
pub struct PinRelay<P: OutputPin> {
    pin: P,
    name: String,
}

/// Opens the relay that the profile names, with the GPIO chips in `devices` ([`DEVICES`]). `None`: the board has none.
///
/// # Errors
/// The line is not there, or not ours.
pub fn open(devices: &Path, gpio: &Gpio) -> Result<Option<PinRelay<CdevPin>>, DeviceError> {
    let Some(name) = &gpio.lifeline else { return Ok(None) };
    let line = find(devices, gpio.chip.as_deref(), name)?;
    let fail = |error: &Error| complaint(name, user_of(&line).unwrap_or_else(|| error.to_string()), RESERVED);
    let handle = line.request(LineRequestFlags::OUTPUT, 0, CONSUMER).map_err(|error| fail(&error))?;
    let pin = CdevPin::new(handle).map_err(|error| complaint(name, error.to_string(), RESERVED))?;
    PinRelay::new(pin, name).map(Some)
}

/// The line called `name`, on the chip called `chip` or on any.
fn find(devices: &Path, chip: Option<&str>, name: &str) -> Result<Line, DeviceError> {
    let denied = |why: String| complaint(name, why, DENIED);
    let folder = std::fs::read_dir(devices).map_err(|error| denied(error.to_string()))?;
    let mut paths: Vec<_> = folder
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|file| file.to_string_lossy().starts_with("gpiochip")))
        .collect();
    paths.sort();
    let mut closed = None;
    for path in paths {
        let is_named = |label: &str| {
            chip.is_none_or(|chip| chip == label || path.file_name().is_some_and(|file| file == chip))
        };
        match Chip::new(&path) {
            Ok(open) if is_named(open.label()) => {
                let is_it = |line: &Line| line.info().is_ok_and(|info| info.name() == Some(name));
                if let Some(line) = open.lines().find(is_it) {
                    return Ok(line);
                }
            }
            Ok(_) => {}
            Err(error) => closed = Some(format!("{}: {error}", path.display())),
        }
    }
    Err(match (closed, chip) {
        (Some(why), _) => denied(why),
        (None, Some(chip)) => complaint(name, format!("{chip} has no line of this name"), UNNAMED),
        (None, None) => complaint(name, "no GPIO chip has a line of this name".into(), UNNAMED),
    })
}

fn user_of(line: &Line) -> Option<String> {
    let info = line.info().ok()?;
    info.is_used().then(|| format!("it is used by {}", info.consumer().unwrap_or("the kernel")))
}

fn complaint(name: &str, problem: String, remedy: &'static str) -> DeviceError {
    DeviceError { device: format!("GPIO line {name}"), problem, remedy }
}

impl<P: OutputPin> PinRelay<P> {
    /// Takes the output and releases the relay.
    ///
    /// # Errors
    /// The output did not take the order.
    pub fn new(pin: P, name: &str) -> Result<Self, DeviceError> {
        let mut relay = Self { pin, name: name.to_owned() };
        relay.set(Coil::Released)?;
        Ok(relay)
    }

    fn set(&mut self, coil: Coil) -> Result<(), DeviceError> {
        let done = match coil {
            Coil::Energised => self.pin.set_high(),
            Coil::Released => self.pin.set_low(),
        };
        done.map_err(|error| complaint(&self.name, format!("{error:?}"), "see the kernel's log"))
    }
}

#[derive(Clone, Copy)]
enum Coil {
    Energised,
    Released,
}

impl<P: OutputPin + Send> Relay for PinRelay<P> {
    fn energise(&mut self) -> Result<(), DeviceError> {
        self.set(Coil::Energised)
    }

    fn release(&mut self) -> Result<(), DeviceError> {
        self.set(Coil::Released)
    }
}

impl<P: OutputPin> Drop for PinRelay<P> {
    /// The kernel leaves a line as it was when its user is gone.
    fn drop(&mut self) {
        if let Err(error) = self.set(Coil::Released) {
            tracing::error!("the lifeline may not be joined: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_hal_mock::eh1::{
        MockError,
        digital::{Mock, State, Transaction},
    };

    const LOW: State = State::Low;
    const HIGH: State = State::High;

    #[test]
    fn the_relay_is_released_at_first_and_at_last() {
        let mut pin = Mock::new(&[LOW, HIGH, LOW, HIGH, LOW].map(Transaction::set));
        let mut relay = PinRelay::new(pin.clone(), "RS_LIFELINE").unwrap();
        relay.energise().unwrap();
        relay.release().unwrap();
        relay.energise().unwrap();
        drop(relay);
        pin.done();
    }

    #[test]
    fn a_panic_releases_the_relay() {
        let mut pin = Mock::new(&[LOW, HIGH, LOW].map(Transaction::set));
        let mut relay = PinRelay::new(pin.clone(), "RS_LIFELINE").unwrap();
        relay.energise().unwrap();
        let thread = std::thread::spawn(move || {
            let _relay = relay;
            std::panic::resume_unwind(Box::new("the media thread is gone"));
        });
        assert!(thread.join().is_err());
        pin.done();
    }

    #[test]
    fn an_output_that_fails_is_named() {
        let broken = MockError::Io(std::io::ErrorKind::NotConnected);
        let mut pin = Mock::new(&[
            Transaction::set(LOW),
            Transaction::set(HIGH).with_error(broken),
            Transaction::set(LOW),
        ]);
        let mut relay = PinRelay::new(pin.clone(), "RS_LIFELINE").unwrap();
        let error = relay.energise().unwrap_err().to_string();
        assert!(error.starts_with("GPIO line RS_LIFELINE: ") && error.contains("NotConnected"), "{error}");
        drop(relay);
        pin.done();
    }

    #[test]
    fn a_line_that_is_not_there_is_named_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let gpio = Gpio { lifeline: Some("RS_LIFELINE".into()), ..Gpio::default() };
        let says = |gpio: &Gpio| open(dir.path(), gpio).err().unwrap().to_string();
        assert!(
            says(&gpio).contains("no GPIO chip has a line of this name; name it in [gpio]"),
            "{}",
            says(&gpio)
        );
        let named = Gpio { chip: Some("gpiochip4".into()), ..gpio.clone() };
        assert!(says(&named).contains("gpiochip4 has no line of this name"), "{}", says(&named));
        // Something that is no GPIO chip, or may not be opened.
        std::fs::write(dir.path().join("gpiochip4"), "").unwrap();
        assert!(says(&named).contains("gpiochip4: ") && says(&named).contains("udev"), "{}", says(&named));
    }

    #[test]
    fn a_board_without_a_relay_has_none() {
        assert!(open(Path::new(DEVICES), &Gpio::default()).unwrap().is_none());
    }
}
