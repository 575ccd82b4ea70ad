//! A deployment: its users, queues and followers, what they are, and the files that contenders learn of them from.

use std::{fmt::Write as _, io::Write as _, path::Path};

use rosterd::{
    domain::{
        Account, AccountId, BareJid, Name, Operator, Precedence, Published, Queue, QueueId, Record, Show, Subscriber,
        User, UserId,
    },
    store::dump,
};

pub(crate) const DOMAIN: &str = "queues.example.org";
pub(crate) const USER_DOMAIN: &str = "example.org";

/// Users, each in one queue and with one client, and what they are. There is one more of both, which is alone: what is
/// changed there last comes after everything else.
pub(crate) struct Site {
    pub(crate) users: usize,
    pub(crate) queues: usize,
    shows: Vec<Show>,
    counts: Vec<[u32; 6]>,
}

impl Site {
    /// Everybody is away.
    pub(crate) fn new(users: usize, queues: usize) -> Self {
        let mut site = Self { users, queues, shows: vec![Show::Away; users + 1], counts: vec![[0; 6]; queues + 1] };
        for user in 0..=users {
            let queue = site.queue_of(user);
            site.counts[queue][place(Show::Away)] += 1;
        }
        site
    }

    pub(crate) fn queue_of(&self, user: usize) -> usize {
        if user == self.users { self.queues } else { user % self.queues }
    }

    pub(crate) fn show(&self, user: usize) -> Show {
        self.shows[user]
    }

    pub(crate) fn change(&mut self, user: usize, show: Show) {
        let queue = self.queue_of(user);
        let counts = &mut self.counts[queue];
        counts[place(self.shows[user])] -= 1;
        counts[place(show)] += 1;
        self.shows[user] = show;
    }

    /// What the followers of a queue have to be told.
    pub(crate) fn published(&self, queue: usize) -> Published {
        let counts = self.counts[queue];
        let best = Precedence::default().order().into_iter().find(|show| counts[place(*show)] > 0);
        let ready = counts[place(Show::Chat)] + counts[place(Show::Available)];
        Published { show: best.unwrap_or(Show::Unavailable), ready, enabled: counts.iter().sum(), closed: false }
    }

    /// What the server passes on of a user now: 230 to 260 bytes, as of a client with capabilities (XEP-0115).
    pub(crate) fn presence(&self, user: usize, out: &mut Vec<u8>) {
        let show = match self.shows[user] {
            Show::Available => String::new(),
            show @ (Show::Chat | Show::Dnd | Show::Away | Show::Xa | Show::Unavailable) => {
                format!("<show>{show}</show>")
            }
        };
        let _ = write!(
            out,
            "<presence from='user-{user}@{USER_DOMAIN}/desk' to='staffing@{DOMAIN}'>{show}<status>at my desk</status>\
             <priority>5</priority><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://gajim.org' \
             ver='q07IKJEyjvHSyhy//CH0CxmKi8w='/></presence>"
        );
    }

    /// An export of a store that holds all this.
    pub(crate) fn write_export(&self, path: &Path) -> std::io::Result<()> {
        let number = |number: usize| u32::try_from(number).expect("it is small");
        let account = AccountId::new(1).expect("it is above 0");
        let queue_id = |queue| QueueId::new(number(2 + queue)).expect("it is above 0");
        let user_id = |user| UserId::new(number(2 + self.queues + 1 + user)).expect("it is above 0");
        let name = |text: &str| Name::parse(text, 60).expect("it is a name");
        let jid = |text: &str| BareJid::parse(text).expect("it is a JID");
        let mut records = vec![
            Record::NextId(number(2 + self.queues + 1 + self.users + 1)),
            Record::Account(Account::owned(account, name("acme"), "x".into())),
        ];
        records.extend((0..=self.users).map(|user| {
            let (id, name) = (user_id(user), name(&format!("user-{user}")));
            let jid = jid(&format!("{name}@{USER_DOMAIN}"));
            Record::User(User { id, account, name, jid, email: None })
        }));
        records.extend((0..=self.queues).map(|queue| {
            let (id, name) = (queue_id(queue), name(&format!("queue-{queue}")));
            Record::Queue(Queue { id, account, name, email: None, avatar: None, transcripts: false })
        }));
        records.extend((0..=self.users).map(|user| {
            Record::Operator(Operator { queue: queue_id(self.queue_of(user)), user: user_id(user), suspended: None })
        }));
        records.extend((0..=self.queues).map(|queue| {
            let jid = jid(&format!("follower-{queue}@{USER_DOMAIN}"));
            Record::Subscriber(Subscriber { queue: queue_id(queue), jid })
        }));
        dump::write_file(path, &records, |_| ())
    }

    /// The same as lines of text.
    pub(crate) fn write_lines(&self, path: &Path) -> std::io::Result<()> {
        let mut lines = String::new();
        for user in 0..=self.users {
            let queue = self.queue_of(user);
            let _ = writeln!(lines, "operator user-{user}@{USER_DOMAIN} queue-{queue}@{DOMAIN}");
        }
        for queue in 0..=self.queues {
            let _ = writeln!(lines, "follower follower-{queue}@{USER_DOMAIN} queue-{queue}@{DOMAIN}");
        }
        std::fs::write(path, lines)
    }
}

fn place(show: Show) -> usize {
    Show::ALL.into_iter().position(|one| one == show).expect("all are there")
}

/// Numbers that look random, and are the same in every run (xorshift).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }

    /// One below `most`.
    pub(crate) fn roll(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).expect("it is below most")
    }
}
