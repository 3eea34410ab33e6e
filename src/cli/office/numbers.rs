//! `ringside numbers` and `ringside campaigns`.

use super::{Asked, Method, in_path, text};
use crate::cli::Failure;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = false)]
pub(in crate::cli) struct Numbers {
    #[command(subcommand)]
    command: NumbersCommand,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Subcommand)]
enum NumbersCommand {
    /// Show every number: tracking, advertised, forwarding.
    List,
    /// Add a number, or use one that is known for something else.
    #[command(alias = "add")]
    Assign {
        /// The number, in any spelling.
        #[arg(value_name = "NUMBER")]
        number: String,
        /// Track its calls for this campaign: its name or its id.
        #[arg(long, value_name = "CAMPAIGN", conflicts_with_all = ["forwards_to", "forwarding"])]
        campaign: Option<String>,
        /// Ring group or port that rings; the first group unless given.
        #[arg(long, value_name = "NAME", requires = "campaign")]
        ring: Option<String>,
        /// The unadvertised number of the office behind it.
        #[arg(long, value_name = "NUMBER", requires = "campaign")]
        destination: Option<String>,
        /// It is an advertised number that is forwarded to this tracking number.
        #[arg(long, value_name = "NUMBER", conflicts_with = "forwarding")]
        forwards_to: Option<String>,
        /// It is a forwarding number: never advertised, never tracked.
        #[arg(long)]
        forwarding: bool,
        /// Name shown to the office.
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
        /// Why a forwarding number is to be advertised all the same.
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
    /// Use a number for nothing any more; its history stays.
    Remove {
        /// The number, in any spelling.
        #[arg(value_name = "NUMBER")]
        number: String,
    },
    /// Port an advertised number in: `start`, then `finish` when it has arrived, or `cancel`.
    Port {
        /// The number, in any spelling.
        #[arg(value_name = "NUMBER")]
        number: String,
        /// What happens.
        #[arg(value_name = "STEP", value_parser = ["start", "finish", "cancel"])]
        step: String,
    },
    /// Show what was changed about a number.
    History {
        /// The number, in any spelling.
        #[arg(value_name = "NUMBER")]
        number: String,
    },
}

const NUMBERS: &str = "ringside numbers";
/// The kinds of numbers, where they are, and the name of their list and of the number in an entry.
const KINDS: [(&str, &str, &str); 3] = [
    ("trackers", "trackers", "tracking_phone_number"),
    ("advertised-numbers", "advertised_numbers", "number"),
    ("forwarding-numbers", "forwarding_numbers", "number"),
];

pub(in crate::cli) fn numbers(arguments: &Numbers) -> Result<(), Failure> {
    let asked = &arguments.asked;
    match &arguments.command {
        NumbersCommand::List => {
            let fields = [
                ("number", "number"),
                ("use", "use"),
                ("campaign", "campaign"),
                ("leads to", "leads_to"),
                ("porting", "porting"),
                ("from", "from"),
            ];
            asked.show(&Value::Array(all(asked)?.into_iter().map(|(_, row)| row).collect()), &fields);
            Ok(())
        }
        NumbersCommand::Assign { .. } => assign(asked, &arguments.command),
        NumbersCommand::Remove { number } => {
            let (kind, entry) = find(asked, number)?;
            let path = format!("/api/v1/{kind}/{}", in_path(&text(&entry["number"])));
            asked.send(Method::Delete, &path, &Value::Null, NUMBERS)?;
            asked.done(&Value::Null, &format!("{} is not assigned any more", text(&entry["number"])));
            Ok(())
        }
        NumbersCommand::Port { number, step } => {
            let path = format!("/api/v1/advertised-numbers/{}/porting", in_path(number));
            let entry = asked.send(Method::Post, &path, &json!({ "step": step }), NUMBERS)?;
            let words = match step.as_str() {
                "start" => "is accepted on both paths now",
                "finish" => "is a tracking number now",
                _ => "stays an advertised number",
            };
            asked.done(&entry, &format!("{number} {words}"));
            Ok(())
        }
        NumbersCommand::History { number } => {
            asked.history(&find(asked, number)?.1);
            Ok(())
        }
    }
}

fn assign(asked: &Asked, command: &NumbersCommand) -> Result<(), Failure> {
    let NumbersCommand::Assign { number, campaign, ring, destination, forwards_to, forwarding, name, why } =
        command
    else {
        return Ok(());
    };
    let mut body = Map::new();
    let mut put = |field: &str, value: &Option<String>| {
        if let Some(value) = value {
            body.insert(field.to_owned(), json!(value));
        }
    };
    put("name", name);
    let kind = match (campaign, forwards_to) {
        (Some(wanted), _) => {
            put("campaign_id", &Some(campaign_id(asked, wanted)?));
            put("ring", ring);
            put("destination_number", destination);
            put("override_reason", why);
            put("tracking_phone_number", &Some(number.clone()));
            "trackers"
        }
        (None, Some(_)) => {
            put("forwards_to", forwards_to);
            put("override_reason", why);
            put("number", &Some(number.clone()));
            "advertised-numbers"
        }
        (None, None) if *forwarding => {
            put("number", &Some(number.clone()));
            "forwarding-numbers"
        }
        (None, None) => {
            let next = format!(
                "{NUMBERS} assign {number} --campaign NAME, or --forwards-to NUMBER, or --forwarding"
            );
            return Err(Failure::failed("nobody said what the number is for", next));
        }
    };
    let entry = asked.send(Method::Post, &format!("/api/v1/{kind}"), &Value::Object(body), NUMBERS)?;
    asked.done(&entry, &format!("{number} is in force for the next call"));
    Ok(())
}

/// Every number with its kind, in one shape.
fn all(asked: &Asked) -> Result<Vec<(&'static str, Value)>, Failure> {
    let mut rows = Vec::new();
    for (kind, list, field) in KINDS {
        let answer = asked.get(&format!("/api/v1/{kind}"), NUMBERS)?;
        for entry in answer[list].as_array().into_iter().flatten() {
            let mut row = entry.clone();
            row["number"] = entry[field].clone();
            row["use"] = json!(list.trim_end_matches("_numbers").trim_end_matches("ers"));
            if kind == "trackers" {
                row["use"] = json!("tracking");
                row["campaign"] = entry["campaign_name"].clone();
                row["leads_to"] = entry["destination_number"].clone();
            } else {
                row["campaign"] = entry["campaign_id"].clone();
                row["leads_to"] = entry["forwards_to"].clone();
            }
            rows.push((kind, row));
        }
    }
    Ok(rows)
}

/// A number in any spelling: by its digits, of which those at the end must be enough.
fn find(asked: &Asked, number: &str) -> Result<(&'static str, Value), Failure> {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let wanted = digits(number);
    let mut found = all(asked)?;
    found.retain(|(_, row)| wanted.len() >= 4 && digits(&text(&row["number"])).ends_with(&wanted));
    if found.len() > 1 {
        return Err(Failure::failed(
            format!("{number} fits {} numbers", found.len()),
            "write the number in full",
        ));
    }
    let unknown = || Failure::failed(format!("there is no number {number}"), format!("{NUMBERS} list"));
    found.pop().ok_or_else(unknown)
}

fn campaign_id(asked: &Asked, wanted: &str) -> Result<String, Failure> {
    let all = asked.get("/api/v1/campaigns", CAMPAIGNS)?;
    let found = all["campaigns"].as_array().into_iter().flatten().find(|campaign| {
        text(&campaign["id"]) == wanted || text(&campaign["name"]).eq_ignore_ascii_case(wanted)
    });
    let unknown = || {
        let next = format!("{CAMPAIGNS} add \"{wanted}\"");
        Failure::failed(format!("there is no campaign {wanted}"), next)
    };
    found.map(|campaign| text(&campaign["id"])).ok_or_else(unknown)
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = false)]
pub(in crate::cli) struct Campaigns {
    #[command(subcommand)]
    command: CampaignsCommand,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Subcommand)]
enum CampaignsCommand {
    /// Show every campaign and its numbers.
    List,
    /// Add a campaign.
    Add {
        /// Name shown to the office.
        #[arg(value_name = "NAME")]
        name: String,
        /// What a phone displays, at most 15 characters.
        #[arg(long, value_name = "TEXT")]
        tag: Option<String>,
        /// Where its numbers are advertised.
        #[arg(long, value_name = "TEXT")]
        source: Option<String>,
        /// Kind of advertising: print, web, radio.
        #[arg(long, value_name = "TEXT")]
        medium: Option<String>,
    },
    /// Call a campaign something else.
    Change {
        /// Its name or its id.
        #[arg(value_name = "CAMPAIGN")]
        campaign: String,
        /// Name shown to the office.
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// What a phone displays, at most 15 characters.
        #[arg(long, value_name = "TEXT")]
        tag: Option<String>,
        /// Where its numbers are advertised.
        #[arg(long, value_name = "TEXT")]
        source: Option<String>,
        /// Kind of advertising: print, web, radio.
        #[arg(long, value_name = "TEXT")]
        medium: Option<String>,
    },
    /// End a campaign; its numbers must be assigned elsewhere first.
    Remove {
        /// Its name or its id.
        #[arg(value_name = "CAMPAIGN")]
        campaign: String,
    },
    /// Show what was changed about a campaign.
    History {
        /// Its name or its id.
        #[arg(value_name = "CAMPAIGN")]
        campaign: String,
    },
}

const CAMPAIGNS: &str = "ringside campaigns";

pub(in crate::cli) fn campaigns(arguments: &Campaigns) -> Result<(), Failure> {
    let asked = &arguments.asked;
    let at = |wanted: &str| Ok(format!("/api/v1/campaigns/{}", in_path(&campaign_id(asked, wanted)?)));
    match &arguments.command {
        CampaignsCommand::List => {
            let all = asked.get("/api/v1/campaigns", CAMPAIGNS)?;
            let fields = [
                ("name", "name"),
                ("source", "source_name"),
                ("medium", "medium"),
                ("numbers", "tracking_numbers"),
                ("status", "status"),
                ("from", "from"),
                ("id", "id"),
            ];
            asked.show(&all["campaigns"], &fields);
        }
        CampaignsCommand::Add { name, tag, source, medium } => {
            let body = json!({ "name": name, "tag": tag, "source_name": source, "medium": medium });
            let entry = asked.send(Method::Post, "/api/v1/campaigns", &body, CAMPAIGNS)?;
            asked.done(&entry, &format!("{name} is {}", text(&entry["id"])));
        }
        CampaignsCommand::Change { campaign, name, tag, source, medium } => {
            let body = json!({ "name": name, "tag": tag, "source_name": source, "medium": medium });
            let entry = asked.send(Method::Put, &at(campaign)?, &body, CAMPAIGNS)?;
            asked.done(&entry, &format!("{} is changed", text(&entry["name"])));
        }
        CampaignsCommand::Remove { campaign } => {
            asked.send(Method::Delete, &at(campaign)?, &Value::Null, CAMPAIGNS)?;
            asked.done(&Value::Null, &format!("{campaign} is over"));
        }
        CampaignsCommand::History { campaign } => asked.history(&asked.get(&at(campaign)?, CAMPAIGNS)?),
    }
    Ok(())
}
