//! The rules of campaigns.

use super::{
    edit::{By, CampaignForm, Edited, Refused, Rule},
    entries::{CampaignEntry, Entry},
    numbers::{Layers, changed},
    text,
};

/// Characters of a name on a phone's display (Bellcore TR-NWT-001188: 15).
const TAG_MAX: usize = 15;
/// Far more than an office has.
const MOST_CAMPAIGNS: usize = 500;

fn campaign_edited(mut entry: CampaignEntry, did: &'static str, what: impl AsRef<str>, by: &By) -> Edited {
    entry.history.clear();
    let on = entry.name.clone();
    Edited { changed: vec![changed(Entry::Campaign(entry), what, by)], did, on, warnings: Vec::new() }
}

impl Layers<'_> {
    pub(super) fn add_campaign(&self, id: &str, form: &CampaignForm, by: &By) -> Result<Edited, Refused> {
        if self.0.campaigns().count() >= MOST_CAMPAIGNS {
            let what = format!("there are {MOST_CAMPAIGNS} campaigns");
            return Err(Refused::new(Rule::Limit, what, "change one that is over"));
        }
        if self.campaign(id).is_some() {
            return Err(Refused::new(Rule::Taken, format!("the id {id} is taken"), "ask again"));
        }
        let entry = self.campaign_of(id, form)?;
        Ok(campaign_edited(entry, "added the campaign", "added", by))
    }

    pub(super) fn change_campaign(&self, id: &str, form: &CampaignForm, by: &By) -> Result<Edited, Refused> {
        let before = self.own_campaign(id)?;
        let after = CampaignEntry { ended: before.ended, ..self.campaign_of(id, form)? };
        let said = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
        let differences = [
            ("name", before.name.clone(), after.name.clone()),
            ("display", before.tag.clone(), after.tag.clone()),
            ("source", said(&before.source_name), said(&after.source_name)),
            ("medium", said(&before.medium), said(&after.medium)),
        ];
        Ok(campaign_edited(after, "changed the campaign", text::differences(&differences), by))
    }

    pub(super) fn end_campaign(&self, id: &str, by: &By) -> Result<Edited, Refused> {
        let before = self.own_campaign(id)?;
        let numbers: Vec<String> = self.0.numbers_of(id).map(|entry| entry.number.to_string()).collect();
        if !numbers.is_empty() {
            let what = format!("{} still has {}", before.name, numbers.join(", "));
            return Err(Refused::new(
                Rule::InUse,
                what,
                "assign its numbers to another campaign, or unassign them, first",
            ));
        }
        Ok(campaign_edited(
            CampaignEntry { ended: true, ..before.clone() },
            "ended the campaign",
            "ended",
            by,
        ))
    }

    fn campaign_of(&self, id: &str, form: &CampaignForm) -> Result<CampaignEntry, Refused> {
        let name = text::name("the campaign’s name", &form.name)?;
        let namesake =
            self.0.campaigns().chain(self.1.campaigns.values()).find(|other| {
                other.id != id && !other.ended && other.name.to_lowercase() == name.to_lowercase()
            });
        if let Some(other) = namesake {
            let what = format!("there is a campaign {} already", other.name);
            return Err(Refused::new(Rule::Taken, what, "choose another name, or change that one"));
        }
        let tag = match text::optional("the text on the phone’s display", form.tag.as_deref())? {
            Some(tag) if tag.chars().count() > TAG_MAX || !tag.chars().all(|c| (' '..='~').contains(&c)) => {
                let what = format!("a phone cannot show `{tag}`");
                let remedy = format!("use 1 to {TAG_MAX} letters, digits and signs of ASCII");
                return Err(Refused::new(Rule::Text, what, remedy));
            }
            Some(tag) => tag,
            None => shown(&name),
        };
        Ok(CampaignEntry {
            id: id.to_owned(),
            name,
            tag,
            source_name: text::optional("the source", form.source_name.as_deref())?,
            medium: text::optional("the medium", form.medium.as_deref())?,
            ended: false,
            history: Vec::new(),
        })
    }

    fn own_campaign(&self, id: &str) -> Result<&CampaignEntry, Refused> {
        if let Some(campaign) = self.1.campaigns.get(id) {
            let what = format!("{} is from the configuration file", campaign.name);
            return Err(Refused::new(Rule::FromFile, what, "change it there"));
        }
        let unknown = || {
            Refused::new(Rule::NotThere, format!("there is no campaign {id}"), "it may have been mistyped")
        };
        self.0.campaign(id).ok_or_else(unknown)
    }
}

/// The beginning of a name as a phone can show it.
fn shown(name: &str) -> String {
    let tag: String = name.chars().filter(|c| (' '..='~').contains(c)).take(TAG_MAX).collect();
    if tag.trim().is_empty() { "Campaign".to_owned() } else { tag }
}
