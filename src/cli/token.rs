//! `ringside token`: ways in for programs and wall displays.

use super::{
    Failure,
    ask::{Order, Where},
    print,
    status::printable,
    users::Rank,
};
use crate::{time::WallTime, web::Token};
use clap::{Args, Subcommand};
use comfy_table::{Table, presets};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a token; it is shown this once.
    New(New),
    /// Show every token, without what is secret.
    List(Asked),
    /// Let a token open nothing any more.
    Revoke(Revoke),
}

#[derive(Args)]
pub(super) struct Asked {
    #[command(flatten)]
    asked: Where,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct New {
    /// What it is for.
    #[arg(value_name = "NAME")]
    name: String,
    /// What whoever has it may do.
    #[arg(long, value_name = "ROLE")]
    role: Rank,
    /// Its last day, as 2026-12-31; without one it holds until it is revoked.
    #[arg(long, value_name = "DAY", value_parser = until_day)]
    until: Option<WallTime>,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Args)]
pub(super) struct Revoke {
    /// Its id: `tok_…`.
    #[arg(value_name = "TOKEN")]
    id: String,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Deserialize)]
struct TokenList {
    tokens: Vec<Token>,
}

const LIST: &str = "ringside token list";

pub(super) fn token(command: &Command) -> Result<(), Failure> {
    match command {
        Command::New(new) => {
            let body = json!({ "name": new.name, "role": new.role.role(), "until": new.until });
            let made: Value = order(&new.asked, &Order::Post("/api/v1/tokens", body))?;
            let secret = made.get("secret").and_then(Value::as_str).unwrap_or_default();
            if new.asked.json {
                print(format_args!("{made}"));
            } else {
                print(format_args!("{secret}   (shown this once)"));
            }
            Ok(())
        }
        Command::List(asked) => list(asked),
        Command::Revoke(revoke) => {
            let path = format!("/api/v1/tokens/{}", revoke.id);
            let gone: Value = order(&revoke.asked, &Order::Delete(&path))?;
            if revoke.asked.json {
                print(format_args!("{gone}"));
            } else {
                print(format_args!("{} opens nothing any more", printable(&revoke.id)));
            }
            Ok(())
        }
    }
}

fn list(asked: &Asked) -> Result<(), Failure> {
    let TokenList { tokens } = order(asked, &Order::Get("/api/v1/tokens"))?;
    if asked.json {
        print(format_args!("{}", json!({ "tokens": tokens })));
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(["token", "for", "role", "until", "last used"]);
    for token in &tokens {
        let day = |at: Option<WallTime>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
        let name = printable(&token.name);
        table.add_row([
            token.id.to_string(),
            name,
            token.role.to_string(),
            day(token.until),
            day(token.last_used),
        ]);
    }
    print(format_args!("{table}"));
    Ok(())
}

fn order<T: for<'a> Deserialize<'a>>(asked: &Asked, order: &Order<'_>) -> Result<T, Failure> {
    asked.asked.running().order(order).map_err(|error| error.failure(LIST))
}

/// The end of a day as it is typed.
pub(super) fn until_day(text: &str) -> Result<WallTime, String> {
    WallTime::parse(&format!("{}T23:59:59Z", text.trim()))
        .ok_or_else(|| "write it like 2026-12-31".to_owned())
}
