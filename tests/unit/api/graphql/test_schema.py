"""The merged schema: every root field has a resolver, every name of the contract is there, scalars mean one thing."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from graphql import GraphQLError, GraphQLObjectType

from api.app import SCHEMA
from api.graphql.scalars import to_moment, to_text
from api.graphql.schema import Feature, build

# Of the contract (api.md), what is served today.
CONTRACT = {
    "Query": "me exercises muscles equipment archetypes achievements streak challenges "
    "workout myWorkouts communityFeed dashboard creditBalance creditLedger "
    "entitlements presenceStats presenceMap nowTraining user profiles followers following followRequests profileFeed "
    "followingFeed channelToken channelTokens leaderboard rivals flags",
    "Mutation": "logWorkout syncWorkouts joinChallenge setTimeZone setArchetype exportMyData deleteMyAccount "
    "follow unfollow acceptFollow declineFollow block unblock setAudience addRival removeRival sendHighFive",
    "DataExport": "createdAt data",
    "Profile": "id name level xp streak followers following followState followsMe presence archetype achievements",
    "ProfilePresence": "state lastSeen",
    "ChannelToken": "channel token expiresAt",
    "LogWorkoutPayload": "workout charged existing balance earned",
    "Earned": "xp level leveledUp milestones",
    "SyncWorkoutResult": "idempotencyKey status workout charged error",
    "SyncError": "code message statusCode",
    "Challenge": "id slug name description kind target progress rewardXp startsAt endsAt state",
    "Streak": "current longest lastDate",
    "EarnedAchievement": "achievement earnedAt",
    "Workout": "id performedAt note totalTu muscles exercises",
    "MuscleActivation": "muscle trainingUnits",
    "Exercise": "id slug name equipment muscles",
    "ExerciseMuscle": "muscle activation",
    "Muscle": "id slug name biasWeight",
    "User": "id name email roles audience timeZone archetype xp level",
    "CreditBalance": "credits version",
    "LedgerEntry": "id amount balanceAfter reason workoutId createdAt",
    "Entitlements": "unlimited reason trialEndsAt subscribedUntil credits",
    "PresenceStats": "online training",
    "PresenceMap": "resolution online cells",
    "Cell": "cell count",
    "FeedEvent": "id type createdAt actor data cursor highFives highFived",
    "HighFivePayload": "eventId highFives existing",
    "LeaderboardConnection": "edges pageInfo me refreshedAt",
    "LeaderboardEntry": "rank profile score me",
    "Rival": "profile myScore theirScore since",
    "Flag": "key enabled",
    "Actor": "id name",
    "FeedConnection": "edges pageInfo position",
    "PageInfo": "endCursor hasNextPage",
}


@pytest.mark.parametrize("name", CONTRACT)
def test_a_type_has_the_fields_of_the_contract(name: str) -> None:
    owner = SCHEMA.type_map[name]
    assert isinstance(owner, GraphQLObjectType)
    assert set(owner.fields) == set(CONTRACT[name].split())
    assert all(field.resolve is not None for field in owner.fields.values())


def test_a_resolver_without_a_field_or_a_root_without_a_resolver_is_refused() -> None:
    """Seen failing with the check of roots left out: such a field read an attribute of None."""
    with pytest.raises(ValueError, match="without a field"):
        build(
            [
                Feature(
                    "extend type Query { a: Int } extend type Mutation { b: Int }", {"Query": {"nothing": lambda *_: 1}}
                )
            ]
        )
    with pytest.raises(ValueError, match="without a resolver"):
        build([Feature("extend type Query { a: Int } extend type Mutation { b: Int }", {})])


def test_moments_are_utc_with_milliseconds() -> None:
    moment = datetime(2026, 11, 20, 19, 5, 9, 250_999, timezone(timedelta(hours=1)))
    assert to_text(moment) == "2026-11-20T18:05:09.250Z"
    assert to_moment("2026-11-20T19:05:09.25+01:00") == datetime(2026, 11, 20, 18, 5, 9, 250_000, UTC)


@pytest.mark.parametrize(
    "value", ["", "yesterday", "2026-11-20T18:05:00", "2026-13-01T00:00:00Z", 5, None, "9" * 5_000]
)
def test_what_is_no_moment_is_refused(value: object) -> None:
    with pytest.raises(GraphQLError):
        to_moment(value)


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_moment_that_utc_cannot_hold_is_refused(value: str) -> None:
    """Seen failing with OverflowError uncaught: a 500 for a bad date."""
    with pytest.raises(GraphQLError):
        to_moment(value)
