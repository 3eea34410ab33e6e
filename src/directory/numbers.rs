//! The rules of numbers.
//!
//! ```text
//! advertised number ── carrier ──► tracking number ── box ──► forwarding number        never back
//! ```

use super::{
    base::Base,
    book::Book,
    edit::{By, Edit, Edited, NumberForm, Refused, Rule},
    entries::{CampaignEntry, Change, Changed, Entry, NumberEntry, Use},
    text,
};
use crate::{access::Role, number::E164};

/// Far more than an office has.
const MOST_NUMBERS: usize = 2_000;

/// Both layers together, as the rules see them.
pub(super) struct Layers<'a>(pub(super) &'a Book, pub(super) &'a Base);

/// What a change of a campaign or a number would come to.
pub(super) fn consider(book: &Book, base: &Base, edit: &Edit, by: &By) -> Result<Edited, Refused> {
    let layers = Layers(book, base);
    match edit {
        Edit::CampaignAdded { id, form } => layers.add_campaign(id, form, by),
        Edit::CampaignChanged { id, form } => layers.change_campaign(id, form, by),
        Edit::CampaignEnded { id } => layers.end_campaign(id, by),
        Edit::NumberAssigned { id, number, form } => layers.assign(id, number, form, by),
        Edit::NumberUnassigned { number } => layers.unassign(number, by),
        Edit::PortingStarted { number } => layers.start_porting(number, by),
        Edit::PortingFinished { number } => layers.finish_porting(number, by),
        Edit::PortingCalledOff { number } => layers.call_porting_off(number, by),
        Edit::NumberVerified { number, verified } => {
            let entry = layers.own(number)?;
            let what = format!("tested: {}", verified.verdict);
            let entry = NumberEntry { verified: Some(verified.clone()), ..entry };
            Ok(number_edited(entry, "tested the number", what, by))
        }
        // The caller sends no other edit here.
        _ => Err(Refused::new(Rule::NotThere, "this is not about a number", "ask for something else")),
    }
}

pub(super) fn changed(entry: Entry, what: impl AsRef<str>, by: &By) -> Changed {
    let change = Change { at: by.at, who: by.who.as_str().into(), what: what.as_ref().into() };
    Changed { entry, change: Some(change) }
}

fn number_edited(mut entry: NumberEntry, did: &'static str, what: impl AsRef<str>, by: &By) -> Edited {
    entry.history.clear();
    let on = entry.number.to_string();
    Edited { changed: vec![changed(Entry::Number(entry), what, by)], did, on, warnings: Vec::new() }
}

impl Layers<'_> {
    fn assign(&self, id: &str, number: &E164, form: &NumberForm, by: &By) -> Result<Edited, Refused> {
        let before = self.0.number(number);
        self.is_free(number, before, &form.used)?;
        if before.is_none() && self.0.numbers().count() >= MOST_NUMBERS {
            let what = format!("there are {MOST_NUMBERS} numbers");
            return Err(Refused::new(Rule::Limit, what, "use one that is unassigned"));
        }
        let reason = text::optional("the reason", form.reason.as_deref())?;
        let overridden = self.advertises_no_forwarding_number(number, form, reason.as_deref(), by)?;
        let used = self.checked(number, &form.used)?;
        let name = text::optional("the number’s name", form.name.as_deref())?;
        let entry = NumberEntry {
            id: before.map_or_else(|| id.to_owned(), |before| before.id.clone()),
            number: number.clone(),
            verified: before.filter(|before| before.used == used).and_then(|before| before.verified.clone()),
            override_reason: reason.filter(|_| overridden),
            name,
            used,
            history: Vec::new(),
        };
        let warnings = self.warnings(&entry, before);
        let is_new = before.is_none_or(|before| before.used == Use::Unassigned);
        let did = if is_new { "assigned the number" } else { "changed the number" };
        let mut what = self.said(&entry.used);
        if let Some(name) = entry.name.as_ref().filter(|_| before.is_none_or(|b| b.name != entry.name)) {
            what = format!("{what}, named {name}");
        }
        if let Some(reason) = &entry.override_reason {
            what = format!("{what}, though it is a forwarding number: {reason}");
        }
        Ok(Edited { warnings, ..number_edited(entry, did, what, by) })
    }

    /// R13, R15: a number is one thing, and what the file says is changed in the file.
    fn is_free(&self, number: &E164, before: Option<&NumberEntry>, wanted: &Use) -> Result<(), Refused> {
        if let Some(entry) = self.1.numbers.get(number)
            && (entry.used != Use::Forwarding || *wanted == Use::Forwarding)
        {
            return Err(from_file(number, entry));
        }
        let Some(before) = before else { return Ok(()) };
        match (&before.used, wanted) {
            (Use::Unassigned, _)
            | (Use::Tracking { .. }, Use::Tracking { .. })
            | (Use::Advertised { .. }, Use::Advertised { .. })
            | (Use::Forwarding, _) => Ok(()),
            (Use::Advertised { .. }, Use::Tracking { .. }) => {
                let what = format!("{number} is an advertised number");
                Err(Refused::new(
                    Rule::OneKind,
                    what,
                    "port it, and it becomes a tracking number; or unassign it first",
                ))
            }
            (used, _) => {
                let what = format!("{number} is {} {}", text::article(used.words()), used.words());
                Err(Refused::new(Rule::OneKind, what, "unassign it first"))
            }
        }
    }

    /// R12; tells whether an administrator overrode it.
    fn advertises_no_forwarding_number(
        &self,
        number: &E164,
        form: &NumberForm,
        reason: Option<&str>,
        by: &By,
    ) -> Result<bool, Refused> {
        let shown = matches!(form.used, Use::Tracking { .. } | Use::Advertised { .. });
        if !shown || !self.is_forwarding(number) {
            return Ok(false);
        }
        if by.role == Role::Administrator && reason.is_some() {
            return Ok(true);
        }
        let what = format!("{number} is a forwarding number: calls straight to it are not tracked");
        let remedy = "advertise a tracking number, or a number that forwards to one; an administrator can override this with a reason";
        Err(Refused::new(Rule::Advertised, what, remedy))
    }

    /// The use, if everything that it refers to is there and leads to a phone.
    fn checked(&self, number: &E164, used: &Use) -> Result<Use, Refused> {
        match used {
            Use::Tracking { campaign, ring, forwarding_number } => {
                self.open_campaign(campaign)?;
                if self.1.ring(ring).is_none() {
                    let known: Vec<&str> = self.1.rings().collect();
                    let what = format!("there is no ring group or port {ring}");
                    return Err(Refused::new(Rule::Ring, what, format!("there are {}", known.join(", "))));
                }
                if let Some(forwarding) = forwarding_number {
                    self.may_be_forwarded_to(number, forwarding)?;
                }
                Ok(used.clone())
            }
            Use::Advertised { forwards_to, campaign, porting_since: _ } => {
                if self.reaches(forwards_to, number) {
                    return Err(cycle(number, forwards_to));
                }
                if self.tracking(forwards_to).is_none() {
                    let what = format!("{forwards_to} is not a tracking number");
                    return Err(Refused::new(Rule::OneKind, what, "add it as a tracking number first"));
                }
                if let Some(campaign) = campaign {
                    self.open_campaign(campaign)?;
                }
                let porting_since = match self.0.number(number).map(|before| &before.used) {
                    Some(Use::Advertised { porting_since, .. }) => *porting_since,
                    _ => None,
                };
                Ok(Use::Advertised {
                    forwards_to: forwards_to.clone(),
                    campaign: campaign.clone(),
                    porting_since,
                })
            }
            Use::Forwarding if self.number_is_shown(number) => {
                let what = format!("{number} is advertised");
                Err(Refused::new(Rule::OneKind, what, "unassign it first"))
            }
            Use::Forwarding => Ok(Use::Forwarding),
            Use::Unassigned => {
                Err(Refused::new(Rule::OneKind, "that is no use of a number", "unassign it instead"))
            }
        }
    }

    /// R13, R28: what tracking calls are forwarded to is not itself advertised, and leads to no number of ours.
    fn may_be_forwarded_to(&self, number: &E164, forwarding: &E164) -> Result<(), Refused> {
        if forwarding == number || self.reaches(forwarding, number) {
            return Err(cycle(number, forwarding));
        }
        if !self.number_is_shown(forwarding) {
            return Ok(());
        }
        let what = format!(
            "{forwarding} is an advertised or tracking number: a call forwarded to it would come back"
        );
        Err(Refused::new(Rule::Cycle, what, "use the unadvertised number of the office’s own line"))
    }

    /// Whether the chain of forwards from one number comes to another.
    fn reaches(&self, from: &E164, to: &E164) -> bool {
        let mut at = from.clone();
        // No chain is longer than there are numbers.
        for _ in 0..=MOST_NUMBERS {
            if at == *to {
                return true;
            }
            let next = match self.number(&at).map(|entry| &entry.used) {
                Some(Use::Tracking { forwarding_number, .. }) => forwarding_number.clone(),
                Some(Use::Advertised { forwards_to, .. }) => Some(forwards_to.clone()),
                _ => None,
            };
            let Some(next) = next else { return false };
            at = next;
        }
        true
    }

    fn unassign(&self, number: &E164, by: &By) -> Result<Edited, Refused> {
        let entry = self.own(number)?;
        if entry.used == Use::Unassigned {
            let what = format!("{number} is not assigned");
            return Err(Refused::new(Rule::NotThere, what, "there is nothing to do"));
        }
        let behind: Vec<String> = self.advertised_on(number).map(|entry| entry.number.to_string()).collect();
        if !behind.is_empty() {
            let what = format!("{} still forwards to {number}", behind.join(", "));
            return Err(Refused::new(
                Rule::InUse,
                what,
                "forward it to another tracking number, or unassign it, first",
            ));
        }
        let what = format!("unassigned; it was {}", self.said(&entry.used));
        let entry = NumberEntry { used: Use::Unassigned, override_reason: None, verified: None, ..entry };
        Ok(number_edited(entry, "unassigned the number", what, by))
    }

    fn start_porting(&self, number: &E164, by: &By) -> Result<Edited, Refused> {
        let entry = self.own(number)?;
        let Use::Advertised { forwards_to, campaign, porting_since } = entry.used.clone() else {
            let what = format!("{number} is {} {}", text::article(entry.used.words()), entry.used.words());
            return Err(Refused::new(Rule::Porting, what, "add it as an advertised number first"));
        };
        if porting_since.is_some() {
            let what = format!("{number} is being ported already");
            return Err(Refused::new(Rule::Porting, what, "say when it has arrived"));
        }
        let used = Use::Advertised { forwards_to, campaign, porting_since: Some(by.at) };
        let what = "porting begun: it is accepted on both paths";
        Ok(number_edited(NumberEntry { used, ..entry }, "began to port the number", what, by))
    }

    fn finish_porting(&self, number: &E164, by: &By) -> Result<Edited, Refused> {
        let (entry, target, campaign) = self.porting(number)?;
        let Some(Use::Tracking { campaign: of, ring, forwarding_number }) =
            self.tracking(&target).map(|entry| entry.used.clone())
        else {
            let what = format!("{target}, which {number} forwards to, is not a tracking number");
            return Err(Refused::new(Rule::Porting, what, "forward it to a tracking number first"));
        };
        let used = Use::Tracking { campaign: campaign.unwrap_or(of), ring, forwarding_number };
        let what = format!("ported: it is {} now", self.said(&used));
        Ok(number_edited(NumberEntry { used, ..entry }, "finished porting the number", what, by))
    }

    fn call_porting_off(&self, number: &E164, by: &By) -> Result<Edited, Refused> {
        let (entry, forwards_to, campaign) = self.porting(number)?;
        let used = Use::Advertised { forwards_to, campaign, porting_since: None };
        Ok(number_edited(NumberEntry { used, ..entry }, "called porting off", "porting called off", by))
    }

    fn porting(&self, number: &E164) -> Result<(NumberEntry, E164, Option<String>), Refused> {
        let entry = self.own(number)?;
        match entry.used.clone() {
            Use::Advertised { forwards_to, campaign, porting_since: Some(_) } => {
                Ok((entry, forwards_to, campaign))
            }
            _ => {
                let what = format!("{number} is not being ported");
                Err(Refused::new(Rule::Porting, what, "begin to port it first"))
            }
        }
    }

    /// R27, R14: what is allowed and yet to be looked at.
    fn warnings(&self, entry: &NumberEntry, before: Option<&NumberEntry>) -> Vec<String> {
        let mut warnings = Vec::new();
        let number = &entry.number;
        if let Some(before) = before.filter(|before| before.used == Use::Unassigned)
            && let Some(change) = before.history.last()
        {
            warnings
                .push(format!("{number} was used before ({}): old callers may still have it", change.what));
        }
        if let Use::Advertised { forwards_to, campaign, .. } = &entry.used {
            let others: Vec<String> = self
                .advertised_on(forwards_to)
                .filter(|o| o.number != *number)
                .map(|o| o.number.to_string())
                .collect();
            if !others.is_empty() {
                let others = others.join(", ");
                warnings.push(format!(
                    "{others} forwards to {forwards_to} too: their calls cannot be told apart"
                ));
            }
            let of = self.tracking(forwards_to).and_then(campaign_id);
            if campaign.is_some() && campaign.as_deref() != of {
                warnings.push(format!(
                    "until it is ported, calls to {number} count for the campaign of {forwards_to}"
                ));
            }
        }
        warnings
    }

    /// A use with the names of what it refers to.
    fn said(&self, used: &Use) -> String {
        let name =
            |id: &str| self.campaign(id).map_or_else(|| id.to_owned(), |campaign| campaign.name.clone());
        match used {
            Use::Tracking { campaign, ring, forwarding_number } => {
                let rings = if ring.is_empty() { String::new() } else { format!(", rings {ring}") };
                let behind = forwarding_number.as_ref().map(|number| format!(", forwarded to {number}"));
                format!("tracking number of {}{rings}{}", name(campaign), behind.unwrap_or_default())
            }
            Use::Advertised { forwards_to, campaign, .. } => {
                let of = campaign.as_ref().map(|campaign| format!(" of {}", name(campaign)));
                format!("advertised number{}, forwards to {forwards_to}", of.unwrap_or_default())
            }
            Use::Forwarding | Use::Unassigned => used.words().to_owned(),
        }
    }

    pub(super) fn campaign(&self, id: &str) -> Option<&CampaignEntry> {
        self.1.campaigns.get(id).or_else(|| self.0.campaign(id))
    }

    fn open_campaign(&self, id: &str) -> Result<(), Refused> {
        match self.campaign(id) {
            Some(campaign) if !campaign.ended => Ok(()),
            Some(campaign) => {
                let what = format!("the campaign {} is over", campaign.name);
                Err(Refused::new(Rule::Campaign, what, "choose another one"))
            }
            None => {
                let what = if id.is_empty() {
                    "no campaign is chosen".to_owned()
                } else {
                    format!("there is no campaign {id}")
                };
                Err(Refused::new(Rule::Campaign, what, "add the campaign first"))
            }
        }
    }

    /// A number of the office's own book.
    fn own(&self, number: &E164) -> Result<NumberEntry, Refused> {
        if let Some(entry) = self.0.number(number) {
            return Ok(entry.clone());
        }
        match self.1.numbers.get(number) {
            Some(entry) => Err(from_file(number, entry)),
            None => {
                Err(Refused::new(Rule::NotThere, format!("{number} is not in the directory"), "add it first"))
            }
        }
    }

    /// A number as it is in force: what the file says stands above.
    fn number(&self, number: &E164) -> Option<&NumberEntry> {
        let file = self.1.numbers.get(number);
        file.filter(|entry| entry.used != Use::Forwarding).or_else(|| self.0.number(number)).or(file)
    }

    fn tracking(&self, number: &E164) -> Option<&NumberEntry> {
        self.number(number).filter(|entry| matches!(entry.used, Use::Tracking { .. }))
    }

    fn number_is_shown(&self, number: &E164) -> bool {
        let entry = self.number(number);
        entry.is_some_and(|entry| matches!(entry.used, Use::Tracking { .. } | Use::Advertised { .. }))
    }

    fn is_forwarding(&self, number: &E164) -> bool {
        let all = self.1.numbers.values().chain(self.0.numbers());
        all.into_iter().any(|entry| match &entry.used {
            Use::Tracking { forwarding_number, .. } => forwarding_number.as_ref() == Some(number),
            Use::Forwarding => entry.number == *number,
            Use::Advertised { .. } | Use::Unassigned => false,
        })
    }

    fn advertised_on(&self, tracking: &E164) -> impl Iterator<Item = &NumberEntry> {
        let all = self.1.numbers.values().chain(self.0.numbers());
        all.filter(move |entry| matches!(&entry.used, Use::Advertised { forwards_to, .. } if forwards_to == tracking))
    }
}

fn campaign_id(entry: &NumberEntry) -> Option<&str> {
    match &entry.used {
        Use::Tracking { campaign, .. } => Some(campaign),
        Use::Advertised { campaign, .. } => campaign.as_deref(),
        Use::Forwarding | Use::Unassigned => None,
    }
}

fn from_file(number: &E164, entry: &NumberEntry) -> Refused {
    let words = entry.used.words();
    let what = format!("{number} is {} {words} from the configuration file", text::article(words));
    Refused::new(Rule::FromFile, what, "change it there")
}

fn cycle(number: &E164, to: &E164) -> Refused {
    let what = format!("a call to {number} that is forwarded to {to} would come back to {number}");
    Refused::new(Rule::Cycle, what, "forward it to a number that leads to the office’s own line")
}
