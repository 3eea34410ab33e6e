//! Which calls a command is about: the same filters as on the page, checked by the same code.

use super::Failure;
use crate::{
    config::Config,
    ledger::{Filter, filter::Site},
    number::Dialplan,
};
use clap::Args;
use jiff::tz::TimeZone;
use std::path::Path;

#[derive(Args, Clone, Debug, Default)]
pub(super) struct Asked {
    /// Span of days: today, yesterday, last_7_days, last_30_days, this_month, last_month, this_year, all_time.
    #[arg(long, value_name = "SPAN")]
    days: Option<String>,
    /// First day, in the office's time zone: 2026-11-01.
    #[arg(long, value_name = "DAY")]
    from: Option<String>,
    /// Last day.
    #[arg(long, value_name = "DAY")]
    to: Option<String>,
    /// Id or name of a campaign.
    #[arg(long, value_name = "CAMPAIGN")]
    campaign: Option<String>,
    /// A tracking number, in any spelling.
    #[arg(long, value_name = "NUMBER")]
    number: Option<String>,
    /// How it was answered or not: answered, missed, abandoned, voicemail.
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Only callers who had not called before.
    #[arg(long)]
    first_time: bool,
    /// A tag.
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// What it is worth: good_lead, not_a_lead, unmarked.
    #[arg(long, value_name = "LEAD")]
    lead: Option<String>,
    /// What became of it: Booked, Unbooked, Excused, Abandoned, NotLead.
    #[arg(long, value_name = "LABEL")]
    booking: Option<String>,
    /// Who answered or took it: a user or a port.
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Only calls with a recording.
    #[arg(long)]
    recorded: bool,
    /// A number in any spelling, its last digits, or a name.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
}

impl Asked {
    /// The filter, and where and when it is asked; the configuration says the time zone and the country.
    pub(super) fn filter(&self, config: &Path, command: &str) -> Result<(Filter, Site), Failure> {
        let site = site(config);
        let yes = |is_asked: bool| is_asked.then(|| "true".to_owned());
        let all = [
            ("date_range", self.days.clone()),
            ("start_date", self.from.clone()),
            ("end_date", self.to.clone()),
            ("campaign", self.campaign.clone()),
            ("tracking_phone_number", self.number.clone()),
            ("answer_status", self.status.clone()),
            ("first_call", yes(self.first_time)),
            ("tag", self.tag.clone()),
            ("lead_status", self.lead.clone()),
            ("booking", self.booking.clone()),
            ("agent", self.agent.clone()),
            ("recorded", yes(self.recorded)),
            ("search", self.search.clone()),
        ];
        let pairs = all.into_iter().filter_map(|(name, value)| value.map(|value| (name.to_owned(), value)));
        let pairs: Vec<(String, String)> = pairs.collect();
        match Filter::of(&pairs, &site) {
            Ok((filter, _)) => Ok((filter, site)),
            Err(why) => {
                let options = [("date_range", "--days"), ("start_date", "--from"), ("end_date", "--to")];
                let option = options.iter().find(|(name, _)| *name == why.parameter);
                let option = option.map_or_else(
                    || match why.parameter.as_str() {
                        "tracking_phone_number" => "--number".to_owned(),
                        "answer_status" => "--status".to_owned(),
                        "lead_status" => "--lead".to_owned(),
                        other => format!("--{other}"),
                    },
                    |(_, option)| (*option).to_owned(),
                );
                Err(Failure::failed(format!("{option}: {}", why.why), format!("ringside {command} --help")))
            }
        }
    }
}

/// Where the office is; UTC and North America if no configuration says so.
pub(super) fn site(config: &Path) -> Site {
    let text = std::fs::read_to_string(config).ok();
    let config = text.and_then(|text| Config::parse(&text, "").ok());
    let zone = config.as_ref().and_then(|config| TimeZone::get(&config.site.time_zone).ok());
    let plan = config.as_ref().and_then(|config| Dialplan::for_country(&config.site.country));
    Site {
        zone: zone.unwrap_or(TimeZone::UTC),
        plan: plan.unwrap_or(Dialplan::NORTH_AMERICA),
        now: crate::io::clock::Clock::start().wall(),
    }
}
