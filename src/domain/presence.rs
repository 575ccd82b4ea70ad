//! From what each resource of a user last said to the user's show.

use super::{
    Merge, Precedence, Reason, Seen, Show,
    lease::{Life, Tick},
};

/// The most resources kept for one user; the one that has been silent longest makes room.
pub const RESOURCES_MOST: usize = 64;

/// One connected client of a user, as it last described itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) name: Box<str>,
    pub(crate) status: Option<Box<str>>,
    pub(super) since: Tick,
    pub(crate) priority: i8,
    pub(crate) show: Show,
    pub(super) life: Life,
}

impl Resource {
    /// Nothing is known of it yet.
    fn new(name: &str) -> Self {
        let (name, life) = (name.into(), Life::default());
        Self { name, status: None, since: Tick::default(), priority: 0, show: Show::Unavailable, life }
    }

    /// The reason for which a resource does not count, if there is one: a negative priority (RFC 6121 section 4.7.2.3), or
    /// that it did not answer, or that what it said could not be read.
    fn why_not(&self) -> Option<Reason> {
        match self.life {
            Life::Stale => Some(Reason::Stale),
            Life::Unread => Some(Reason::Unreadable),
            Life::Heard | Life::Due | Life::Pinged | Life::Doubted => {
                (self.priority < 0).then_some(Reason::NegativePriority)
            }
        }
    }

    /// Who has the least of this has been silent longest: who does not answer before who has not yet, and those before who was
    /// heard last.
    fn heard_last(&self) -> (u8, Tick) {
        let rank = match self.life {
            Life::Stale => 0,
            Life::Doubted | Life::Pinged => 1,
            Life::Due => 2,
            Life::Heard | Life::Unread => 3,
        };
        (rank, self.since)
    }

    pub(super) fn set(&mut self, life: Life, since: Tick) {
        (self.life, self.since) = (life, since);
    }
}

/// All that was seen of one user since the link came up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Presence {
    /// Who last said something stands last. Most users have one, and there may be a million users: no spare room is kept.
    resources: Box<[Resource]>,
    /// Whether anything at all was heard, be it that they are offline.
    pub(crate) heard: bool,
    /// When what is shown of the user changed last. It outlives what was seen; here is room for it.
    pub(super) changed: Tick,
}

impl Presence {
    pub(super) fn see(&mut self, name: &str, seen: Seen, now: Tick) {
        let Seen { show, priority, status, known_show: _ } = seen;
        let known = self.latest(name);
        (known.show, known.priority, known.status) = (show, priority, status);
        known.set(Life::Heard, now);
    }

    /// A resource says something that can not be read. It is there, but what it said before does not hold; and to take it
    /// for available would be to open queues for somebody who may have said that they are busy. Whether this is news.
    pub(super) fn unread(&mut self, name: &str, now: Tick) -> bool {
        let known = self.latest(name);
        let is_news = known.life != Life::Unread;
        (known.show, known.priority, known.status) = (Show::Unavailable, 0, None);
        known.set(Life::Unread, now);
        is_news
    }

    /// The resource of this name, which is the one heard last from now on. It is made where there is none.
    fn latest(&mut self, name: &str) -> &mut Resource {
        self.heard = true;
        if let Some(place) = self.resources.iter().position(|known| &*known.name == name) {
            self.resources[place..].rotate_left(1);
        } else {
            let mut resources = std::mem::take(&mut self.resources).into_vec();
            if resources.len() >= RESOURCES_MOST {
                let silent = (0..resources.len()).min_by_key(|at| resources[*at].heard_last());
                silent.map(|at| resources.remove(at));
            }
            resources.reserve_exact(1);
            resources.push(Resource::new(name));
            self.resources = resources.into();
        }
        self.resources.last_mut().expect("it is there, or was just put there")
    }

    /// One resource is gone, or all of them.
    pub(crate) fn lose(&mut self, name: Option<&str>) {
        self.heard = true;
        self.retain(|known| name.is_some_and(|name| &*known.name != name));
    }

    /// Keeps the resources for which `keep` says so, and lets it change them.
    pub(super) fn retain(&mut self, keep: impl FnMut(&mut Resource) -> bool) {
        let mut resources = std::mem::take(&mut self.resources).into_vec();
        resources.retain_mut(keep);
        self.resources = resources.into();
    }

    pub(super) fn resources_mut(&mut self) -> impl Iterator<Item = &mut Resource> {
        self.resources.iter_mut()
    }

    pub(super) fn resource_mut(&mut self, name: &str) -> Option<&mut Resource> {
        self.resources.iter_mut().find(|known| &*known.name == name)
    }

    pub(crate) fn forget(&mut self) {
        *self = Self { changed: self.changed, ..Self::default() };
    }

    pub(crate) fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// The resource that speaks for the user, and through `note` the reasons for those that do not count.
    pub(crate) fn winner(
        &self,
        merge: Merge,
        precedence: &Precedence,
        mut note: impl FnMut(Reason),
    ) -> Option<&Resource> {
        let counting = self.resources.iter().filter(|resource| match resource.why_not() {
            Some(reason) => {
                note(reason);
                false
            }
            None => true,
        });
        // On a tie the last one wins, which is the one that said something last.
        match merge {
            Merge::MostAvailable => counting.max_by_key(|it| std::cmp::Reverse(precedence.rank(it.show))),
            Merge::HighestPriority => counting.max_by_key(|it| it.priority),
            Merge::LeastAvailable => counting.max_by_key(|it| precedence.rank(it.show)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Merge::{HighestPriority, LeastAvailable, MostAvailable},
        *,
    };

    /// `desk:away:5 phone:chat` in the order heard.
    fn presence(script: &str) -> Presence {
        let mut presence = Presence::default();
        for word in script.split_whitespace() {
            let mut parts = word.split(':');
            let name = parts.next().unwrap();
            let show = Show::from_word(parts.next().unwrap()).unwrap();
            let priority = parts.next().map_or(0, |p| p.parse().unwrap());
            presence.see(name, Seen { show, priority, status: None, known_show: true }, Tick::default());
        }
        presence
    }

    #[test]
    fn merging() {
        let check = |script: &str, merge: Merge, want: &str| {
            let presence = presence(script);
            let winner = presence.winner(merge, &Precedence::default(), |_| ());
            assert_eq!(winner.map_or("none", |it| &*it.name), want, "{script} by {}", merge.as_str());
        };
        check("", MostAvailable, "none");
        check("desk:away phone:chat pad:dnd", MostAvailable, "phone");
        check("desk:away phone:chat pad:dnd", LeastAvailable, "desk");
        check("desk:away:5 phone:chat:1", HighestPriority, "desk");
        check("desk:away:5 phone:chat:5", HighestPriority, "phone");
        check("phone:chat:5 desk:away:5", HighestPriority, "desk");
        check("desk:chat:-1 phone:away", MostAvailable, "phone");
        check("desk:xa:-1 phone:chat", LeastAvailable, "phone");
        check("desk:chat:-1", MostAvailable, "none");
        check("desk:chat desk:away phone:dnd", MostAvailable, "phone");
    }

    #[test]
    fn the_longest_silent_resource_makes_room() {
        let script: Vec<_> = (0..RESOURCES_MOST).map(|n| format!("r{n}:away")).collect();
        let mut many = presence(&script.join(" "));
        let seen = |show| Seen { show, priority: 0, status: None, known_show: true };
        many.see("r0", seen(Show::Away), Tick::default());
        many.see("new", seen(Show::Chat), Tick::default());
        let names: Vec<_> = many.resources().iter().map(|it| &*it.name).collect();
        assert_eq!(names.len(), RESOURCES_MOST);
        assert!(names.contains(&"r0") && !names.contains(&"r1") && names.contains(&"new"));
    }

    #[test]
    fn who_does_not_answer_makes_room_before_who_does() {
        let script: Vec<_> = (0..RESOURCES_MOST).map(|n| format!("r{n}:away")).collect();
        let mut many = presence(&script.join(" "));
        let tick = |seconds| Tick::default().after(std::time::Duration::from_secs(seconds));
        for n in 0..RESOURCES_MOST {
            many.resource_mut(&format!("r{n}")).unwrap().set(Life::Heard, tick(100));
        }
        many.resource_mut("r40").unwrap().set(Life::Stale, tick(200));
        many.resource_mut("r30").unwrap().set(Life::Pinged, tick(150));
        many.resource_mut("r20").unwrap().set(Life::Due, tick(120));
        many.resource_mut("r10").unwrap().set(Life::Heard, tick(90));
        for (n, gone) in ["r40", "r30", "r20", "r10", "r0"].into_iter().enumerate() {
            let seen = Seen { show: Show::Chat, priority: 0, status: None, known_show: true };
            many.see(&format!("new{n}"), seen, tick(300));
            assert!(many.resource_mut(gone).is_none(), "{gone}");
            assert_eq!(many.resources().len(), RESOURCES_MOST);
        }
    }

    #[test]
    fn losing() {
        let mut both = presence("desk:away phone:chat");
        both.lose(Some("phone"));
        assert_eq!(both.resources().len(), 1);
        both.lose(Some("never-seen"));
        assert_eq!(both.resources().len(), 1);
        both.lose(None);
        assert!(both.resources().is_empty() && both.heard);
        both.forget();
        assert!(!both.heard);
    }
}
