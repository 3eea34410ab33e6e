//! The front panel, the lifeline and the state of the lines in the running box.

use crate::shared::{
    inside::Inside,
    process::{self, PATIENCE, Process, eventually},
    site::{ANSWERS, Group, NOBODY, Site, number},
    web,
};
use ringside::{
    audio::level,
    id::PortId,
    panel::led::{Colour, Led, Pattern},
    sim::{
        exchange::{CallerIn, State},
        provider::{Account, CallPlan, End, Provider, Speech},
    },
    status::{
        Battery, BoxStatus, CallStatus, LedPattern, Lifeline, LineState, PhoneState, Polarity, UntrackedCall,
    },
};
use std::{fs, time::Duration};

const PHONE1: PortId = PortId(0);

/// A site whose board has one office line, joined with PHONE1 by the lifeline.
fn with_line(groups: &[Group<'_>]) -> Site {
    let site = Site::new(groups, "");
    let phones = site.phones();
    let path = site.folder().join("board/profile.toml");
    let text = fs::read_to_string(&path).unwrap();
    let slots = format!("slots = {}", phones.max(2));
    let line = format!(
        "[[spi]]\nname = \"daa\"\nchain = 1\n[[port]]\nkind = \"fxo\"\nname = \"LINE1\"\nchip = \"si3050\"\n\
         spi = \"daa\"\nindex = 0\nslot = {phones}\nlifeline_to = \"PHONE1\"\n"
    );
    fs::write(path, text.replace(&slots, &format!("slots = {}", phones + 1)) + &line).unwrap();
    site
}

fn line1(site: &Site) -> Led {
    Led::Line(PortId(u8::try_from(site.phones()).unwrap()))
}

fn status(site: &Site) -> Option<BoxStatus> {
    let (_, body) = web::get(site.web(), "/api/v1/status").ok()?;
    serde_json::from_str(&body).ok()
}

impl Inside {
    fn shows(&self, led: Led, pattern: Pattern) {
        let what = format!("{led:?} is {pattern:?}");
        self.wait(&what, || self.panel().light(led).is_some_and(|light| light.pattern == pattern));
    }

    /// Waits until the published state is so, and gives it.
    fn says(&self, what: &str, so: impl Fn(&BoxStatus) -> bool) -> BoxStatus {
        self.wait(what, || status(&self.site).is_some_and(|status| so(&status)));
        status(&self.site).unwrap()
    }

    /// Level of the last half second that the phone heard.
    fn heard_dbm0(&self) -> f32 {
        let heard = &self.phones()[0].heard.samples;
        level::dbm0(&heard[heard.len().saturating_sub(4_000)..])
    }
}

#[test]
fn the_lamps_follow_calls_and_the_lines() {
    let inside = Inside::start(with_line(&[&[ANSWERS]]));
    let (line, phone) = (line1(&inside.site), Led::Phone(PHONE1));
    for (led, pattern) in [
        (Led::Power, Pattern::Solid),
        (Led::Net, Pattern::Solid),
        (Led::Sync, Pattern::Off),
        (line, Pattern::Wink),
        (phone, Pattern::Off),
        (Led::Alarm, Pattern::Off),
    ] {
        inside.shows(led, pattern);
    }
    let provider = Provider::start(inside.site.peer(), Account::default()).unwrap();
    let plan = CallPlan {
        speech: Speech::Silence,
        hang_up_after: Some(Duration::from_secs(2)),
        ..CallPlan::new("+13126000001", &number(0))
    };
    let call = provider.place_at(inside.site.sip(), plan);
    inside.shows(phone, Pattern::Fast);
    inside.shows(phone, Pattern::Solid);
    assert_eq!(call.wait(PATIENCE, |_| false).end, Some(End::CallerHungUp));
    inside.shows(phone, Pattern::Off);

    inside.wait_idle();
    inside.world().lock().office_line(0).unwrap().call_in(CallerIn::new("3125550142"));
    inside.shows(line, Pattern::Fast);
    inside.shows(line, Pattern::Solid);
    let talks = |status: &BoxStatus| {
        matches!(&status.calls[..], [CallStatus::Direct(UntrackedCall { line: Some(line), phone: Some(_), .. })]
            if line == "LINE1")
            && status.lines[0].state == LineState::Talking
            && status.phones[0].state == PhoneState::Talking
    };
    inside.says("the direct call is up", talks);
    inside.world().lock().office_line(0).unwrap().caller_hangs_up();
    inside.shows(line, Pattern::Wink);
    let counted = |status: &BoxStatus| status.lines[0].calls.direct == 1 && status.calls.is_empty();
    assert_eq!(inside.says("the direct call is counted", counted).counters.untracked, 1);

    inside.world().lock().office_line(0).unwrap().unplug();
    inside.shows(line, Pattern::Off);
    inside.shows(Led::Alarm, Pattern::Slow);
    let dead = inside.says("the line is dead", |status| status.lines[0].battery == Some(Battery::Absent));
    let battery: Vec<_> = dead.alarms.iter().filter(|alarm| alarm.code == "battery").collect();
    assert!(battery.len() == 1 && !battery[0].remedy.is_empty(), "{:?}", dead.alarms);
    inside.world().lock().office_line(0).unwrap().plug();
    inside.shows(line, Pattern::Wink);
    inside.shows(Led::Alarm, Pattern::Off);

    inside.world().lock().office_line(0).unwrap().lift_parallel();
    inside.shows(line, Pattern::DoublePulse);
    assert_eq!(inside.panel().light(line).unwrap().colour, Colour::Red);
}

#[test]
fn the_state_says_lines_with_volts_the_lamps_and_the_lifeline() {
    let inside = Inside::start(with_line(&[&[NOBODY], &[NOBODY]]));
    let known = |status: &BoxStatus| {
        status.lines.iter().all(|line| line.volts.is_some())
            && status.phones.iter().all(|phone| phone.volts.is_some())
            && status.lifeline == Some(Lifeline::Parted)
    };
    let now = inside.says("everything is known", known);
    let line = &now.lines[0];
    assert_eq!((line.state, line.battery, line.chip_up), (LineState::Idle, Some(Battery::Whole), Some(true)));
    assert!((40.0..60.0).contains(&line.volts.unwrap()), "{line:?}");
    // The simulated exchange feeds TIP with the negative pole.
    assert_eq!(line.polarity, Some(Polarity::Reversed));
    assert!(now.phones.iter().all(|phone| (40.0..75.0).contains(&phone.volts.unwrap())), "{:?}", now.phones);
    let lamps: Vec<_> = now.panel.iter().map(|led| (led.name.as_str(), led.pattern)).collect();
    let right = [
        ("power", LedPattern::On),
        ("net", LedPattern::On),
        ("sync", LedPattern::Off),
        ("line1", LedPattern::Wink),
        ("phone1", LedPattern::Off),
        ("phone2", LedPattern::Off),
        ("alarm", LedPattern::Off),
    ];
    assert_eq!(lamps, right);
    assert!(now.alarms.is_empty(), "{:?}", now.alarms);
    let (_, page) = web::get(inside.site.web(), "/").unwrap();
    assert!(page.contains("lifeline") && page.contains("line1"), "{page}");
}

#[test]
fn the_lifeline_is_joined_when_the_box_is_too_hot_or_ends() {
    let inside = Inside::start(with_line(&[&[NOBODY]]));
    let energised = |inside: &Inside| inside.panel().snapshot().relay.unwrap().energised;
    inside.wait("the box is between line and phone", || energised(&inside));
    inside.panel().set_celsius(96);
    inside.wait("the contacts are joined", || !energised(&inside));
    inside.shows(Led::Alarm, Pattern::Fast);
    inside.panel().set_celsius(60);
    inside.wait("the box is between them again", || energised(&inside));
    let panel = inside.panel().clone();
    drop(inside);
    assert!(!panel.snapshot().relay.unwrap().energised);
    assert_eq!(panel.light(Led::Alarm).unwrap().pattern, Pattern::Solid);
    assert_eq!(panel.light(Led::Power).unwrap().pattern, Pattern::Slow);
}

#[test]
fn through_the_joined_contacts_the_exchange_rings_the_phone_itself() {
    let site = with_line(&[&[NOBODY]]);
    let office = site.folder().join("board/office.toml");
    let text = fs::read_to_string(&office).unwrap();
    fs::write(office, format!("lifeline_contacts = true\n{text}")).unwrap();
    let inside = Inside::start(site);
    let line = line1(&inside.site);
    inside.shows(line, Pattern::Wink);
    inside.panel().set_celsius(96);
    inside.wait("the contacts are joined", || inside.panel().is_joined());
    inside.shows(line, Pattern::Off);
    inside.world().lock().office_line(0).unwrap().call_in(CallerIn::new("3125550142"));
    inside.wait("PHONE1 rings", || inside.phones()[0].ringing);
    let apart = inside.says("the box sees nothing of it", |status| status.lines[0].state == LineState::Down);
    assert_eq!((apart.phones[0].state, apart.calls.len()), (PhoneState::Idle, 0));
    inside.world().lock().lift(PHONE1);
    let connected = || inside.world().lock().office_line(0).unwrap().state() == State::Talking;
    inside.wait("the exchange has connected it", connected);
    inside.world().lock().hang_up(PHONE1);
    inside.panel().set_celsius(60);
    inside.shows(line, Pattern::Wink);
}

#[test]
fn a_short_press_rings_the_first_phone_and_whoever_lifts_it_hears_the_address() {
    let inside = Inside::start(with_line(&[&[NOBODY], &[NOBODY]]));
    inside.panel().press_for_ms(200);
    inside.wait("PHONE1 rings", || inside.phones()[0].ringing);
    assert!(!inside.phones()[1].ringing);
    inside.world().lock().lift(PHONE1);
    inside.wait("the voice is heard", || inside.heard_dbm0() > -30.0);
    let heard = |status: &BoxStatus| status.phones[0].state == PhoneState::OffHook;
    assert!(inside.says("it is off hook", heard).calls.is_empty(), "nobody calls");
    inside.world().lock().hang_up(PHONE1);
    inside.shows(Led::Phone(PHONE1), Pattern::Off);
    assert_eq!(inside.says("it is idle", |_| true).counters.untracked, 0);
}

#[test]
fn three_seconds_open_set_up_mode_and_a_short_press_closes_it() {
    let inside = Inside::start(with_line(&[&[NOBODY]]));
    inside.panel().press_for_ms(3_500);
    inside.shows(Led::Power, Pattern::DoublePulse);
    inside.says("set-up mode is on", |status| status.set_up);
    inside.panel().press_for_ms(200);
    inside.shows(Led::Power, Pattern::Solid);
    inside.says("set-up mode is off", |status| !status.set_up);
}

#[test]
fn ten_seconds_set_the_configuration_aside_and_keep_the_recordings() {
    let site = with_line(&[&[ANSWERS]]);
    let process = Process::start(&site);
    let provider = Provider::start(site.peer(), Account::default()).unwrap();
    let plan =
        CallPlan { hang_up_after: Some(Duration::from_secs(1)), ..CallPlan::new("+13126000001", &number(0)) };
    provider.place_at(site.sip(), plan).wait(PATIENCE, |_| false);
    let record = process::closed_calls(&site, 1).remove(0);
    process.terminate();
    let office = site.folder().join("board/office.toml");
    let text = fs::read_to_string(&office).unwrap();
    fs::write(&office, text + "[[press]]\nat_ms = 500\nhold_ms = 10_500\n").unwrap();
    let before = fs::read(site.config_file()).unwrap();

    let process = Process::start(&site);
    eventually(PATIENCE, || !site.config_file().exists()).expect("the configuration is gone");
    let aside = site.folder().join("ringside.toml.before-reset");
    assert_eq!(fs::read(aside).unwrap(), before);
    let (code, log) = process.ended();
    assert!(code.success() && log.contains("calls and recordings are kept"), "{log}");
    assert!(site.data().join(record.recording.path.as_ref().unwrap()).exists());
    assert_eq!(process::calls(&site).len(), 1);
}
