//! The list of the scenarios in `tests/scenarios/`.

/// Makes a test of each scenario, played in `$world`, where `$is_there` says that there is one.
macro_rules! play_all {
    // Those of these names only.
    ($world:ty, $is_there:expr; $($name:ident)+) => {
        $(crate::catalogue::play_all! { @one $world, $is_there; $name })+
    };
    ($world:ty, $is_there:expr) => {
        crate::catalogue::play_all! { @each $world, $is_there;
            crash
            freeze
            late_approval
            late_follower
            linger
            linger_over
            link_lost
            link_lost_for_long
            negative_priority
            one_operators_day
            queue_deleted
            resources
            restart
            revoked
            server_restart
            suspension
            two_operators
        }
    };
    (@each $world:ty, $is_there:expr; $($name:ident)*) => {
        #[test]
        fn every_scenario_is_played() {
            crate::stage::check_all_are_there(&[$(stringify!($name)),*]);
        }

        $(crate::catalogue::play_all! { @one $world, $is_there; $name })*
    };
    (@one $world:ty, $is_there:expr; $name:ident) => {
        #[tokio::test]
        async fn $name() {
            if $is_there {
                crate::stage::play::<$world>(stringify!($name)).await;
            }
        }
    };
}

pub(crate) use play_all;
