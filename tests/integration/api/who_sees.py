"""Who may see what: a rule for each field of the schema, and what each root field is asked about Ada.

A field's rule says who of those that reach its object is told it; the rule of a root field says who reaches anything of
Ada's by it. Relations are the viewer's to Ada: `owner` (herself), `follower`, `stranger`, `requested` (waits for her to
accept), `blocked` (by her), `anonymous`, `deleted` (has a token, and no account any more). `audience` is Ada's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

RELATIONS: Final = ("owner", "follower", "stranger", "requested", "blocked", "anonymous", "deleted")
AUDIENCES: Final = ("everyone", "followers", "nobody")

Rule = Callable[[str, str], bool]


def everybody(relation: str, audience: str) -> bool:
    """Tells nothing of one person, or is meant for all, with what is in it."""
    return True


def whoever_gets_there(relation: str, audience: str) -> bool:
    """A person's, told with the object that it is part of."""
    return True


def only_owner(relation: str, audience: str) -> bool:
    """Ada's own."""
    return relation == "owner"


def nobody(relation: str, audience: str) -> bool:
    """What no answer has: of what is asked here nothing may come."""
    return False


def followers(relation: str, audience: str) -> bool:
    """What a profile's followers read: as long as anybody may follow it."""
    return relation == "owner" or (relation == "follower" and audience != "nobody")


def header(relation: str, audience: str) -> bool:
    """The top of a profile: whoever may ask to follow sees it, and where it is everybody's, everybody."""
    if relation == "owner" or relation == "blocked":
        return relation == "owner"
    return audience == "everyone" or (audience == "followers" and relation not in ("anonymous", "deleted"))


def listed(relation: str, audience: str) -> bool:
    """Named on leaderboards: to everybody but whom she blocked."""
    return relation == "owner" or (audience == "everyone" and relation != "blocked")


def details(relation: str, audience: str) -> bool:
    """Presence, and who follows whom: everybody's who is signed in, or the followers'."""
    if audience == "everyone":
        return relation not in ("blocked", "anonymous", "deleted")
    return followers(relation, audience)


@dataclass(frozen=True)
class Ada:
    """What there is of her, to ask for."""

    id: str
    workout: str
    key: str  # of that workout
    input: str  # and what was sent for it, as GraphQL writes it
    challenge: str  # that she has joined


CHANGES: Final = ("follow", "unfollow", "acceptFollow", "declineFollow", "block", "unblock", "addRival", "removeRival")

# Root field → its arguments, aimed at Ada.
ASKED: Final[Mapping[str, Callable[[Ada], str]]] = {
    "Query.me": lambda _: "",
    "Query.creditBalance": lambda _: "",
    "Query.creditLedger": lambda _: "(first: 3)",
    "Query.entitlements": lambda _: "",
    "Query.communityFeed": lambda _: "(first: 2)",
    "Query.dashboard": lambda _: "(first: 2)",
    "Query.presenceStats": lambda _: "",
    "Query.presenceMap": lambda _: "(west: -10, south: 40, east: 10, north: 60, zoom: 3)",
    "Query.nowTraining": lambda _: "",
    "Query.exercises": lambda _: '(search: "bench press")',
    "Query.muscles": lambda _: "",
    "Query.equipment": lambda _: "",
    "Query.workout": lambda ada: f'(id: "{ada.workout}")',
    "Query.myWorkouts": lambda _: "(first: 2)",
    "Query.user": lambda ada: f'(id: "{ada.id}")',
    "Query.profiles": lambda _: '(search: "canary")',
    "Query.followers": lambda ada: f'(userId: "{ada.id}", first: 2)',
    "Query.following": lambda ada: f'(userId: "{ada.id}", first: 2)',
    "Query.followRequests": lambda _: "(first: 2)",
    "Query.profileFeed": lambda ada: f'(userId: "{ada.id}", first: 2)',
    "Query.followingFeed": lambda _: "(first: 2)",
    "Query.leaderboard": lambda _: "(board: XP, period: ALL_TIME)",
    "Query.rivals": lambda _: "",
    "Query.streak": lambda _: "",
    "Query.challenges": lambda _: "",
    "Query.flags": lambda _: "",
    "Query.archetypes": lambda _: "",
    "Query.achievements": lambda _: "",
    "Query.channelToken": lambda ada: f'(channel: "profile:{ada.id}")',
    "Query.channelTokens": lambda ada: f'(channels: ["profile:{ada.id}"])',
    # Of nobody and nothing: they would change who the viewer is to her, or what anybody has.
    **{f"Mutation.{name}": lambda _: f'(userId: "{UUID(int=0)}")' for name in CHANGES},
    "Mutation.setAudience": lambda _: "(audience: NONE_SUCH)",
    "Mutation.setTimeZone": lambda _: '(timeZone: "Nowhere/At_All")',
    "Mutation.setArchetype": lambda _: f'(id: "{UUID(int=0)}")',
    "Mutation.sendHighFive": lambda _: f'(eventId: "{UUID(int=0)}", idempotencyKey: "k")',
    "Mutation.deleteMyAccount": lambda _: '(password: "none such")',
    "Mutation.exportMyData": lambda _: "",
    "Mutation.joinChallenge": lambda ada: f'(id: "{ada.challenge}")',
    "Mutation.logWorkout": lambda ada: f'(idempotencyKey: "{ada.key}", input: {ada.input})',
    "Mutation.syncWorkouts": lambda ada: f'(inputs: [{{idempotencyKey: "{ada.key}", workout: {ada.input}}}])',
}

RULES: Final[Mapping[str, Rule]] = {
    # --- What is asked.
    "Query.me": only_owner,
    "Query.creditBalance": only_owner,
    "Query.creditLedger": only_owner,
    "Query.entitlements": only_owner,
    "Query.communityFeed": everybody,
    "Query.dashboard": only_owner,
    "Query.presenceStats": everybody,
    "Query.presenceMap": everybody,
    "Query.nowTraining": everybody,
    "Query.exercises": everybody,
    "Query.muscles": everybody,
    "Query.equipment": everybody,
    "Query.workout": only_owner,
    "Query.myWorkouts": only_owner,
    "Mutation.logWorkout": only_owner,
    "Query.user": header,
    "Query.profiles": everybody,  # finds whom everybody may find: of the three Adas the one
    "Query.followers": details,
    "Query.following": details,
    "Query.followRequests": only_owner,
    "Query.profileFeed": followers,
    "Query.followingFeed": followers,
    "Query.channelToken": followers,
    "Query.channelTokens": followers,
    **dict.fromkeys((f"Mutation.{name}" for name in CHANGES), nobody),
    "Mutation.removeRival": everybody,  # whether there was one, of the viewer's own
    "Mutation.setAudience": nobody,
    "Mutation.setTimeZone": nobody,
    "Mutation.setArchetype": nobody,
    "Mutation.sendHighFive": nobody,
    "Mutation.deleteMyAccount": nobody,
    "Mutation.exportMyData": only_owner,
    "Mutation.joinChallenge": only_owner,
    "Mutation.syncWorkouts": only_owner,
    "Query.leaderboard": listed,
    "Query.rivals": only_owner,
    "Query.streak": only_owner,
    "Query.challenges": only_owner,
    "Query.flags": everybody,
    "Query.archetypes": everybody,
    "Query.achievements": everybody,
    # --- People.
    "Profile.id": whoever_gets_there,
    "Profile.name": whoever_gets_there,
    "Profile.level": whoever_gets_there,
    "Profile.xp": whoever_gets_there,
    "Profile.streak": whoever_gets_there,
    "Profile.followers": whoever_gets_there,
    "Profile.following": whoever_gets_there,
    "Profile.archetype": whoever_gets_there,
    "Profile.achievements": whoever_gets_there,
    "EarnedAchievement.achievement": whoever_gets_there,
    "EarnedAchievement.earnedAt": whoever_gets_there,
    "Profile.followState": everybody,
    "Profile.followsMe": everybody,
    "Profile.presence": details,
    "ProfilePresence.state": details,
    "ProfilePresence.lastSeen": everybody,
    "ProfileConnection.edges": whoever_gets_there,
    "ProfileConnection.pageInfo": whoever_gets_there,
    "ProfileEdge.cursor": whoever_gets_there,
    "ProfileEdge.node": whoever_gets_there,
    "ChannelToken.channel": whoever_gets_there,
    "ChannelToken.token": only_owner,
    "ChannelToken.expiresAt": everybody,
    # --- Who somebody is.
    "User.id": only_owner,
    "User.name": only_owner,
    "User.email": only_owner,
    "User.roles": only_owner,
    "User.audience": only_owner,
    "User.xp": only_owner,
    "User.level": only_owner,
    "User.timeZone": only_owner,
    "User.archetype": only_owner,
    "DataExport.createdAt": everybody,
    "DataExport.data": only_owner,
    # --- What is earned.
    "Streak.current": only_owner,
    "Streak.longest": only_owner,
    "Streak.lastDate": only_owner,
    "Challenge.id": everybody,  # the same for all who may join it
    "Challenge.slug": everybody,
    "Challenge.name": everybody,
    "Challenge.description": everybody,
    "Challenge.kind": everybody,
    "Challenge.target": everybody,
    "Challenge.progress": only_owner,
    "Challenge.rewardXp": everybody,
    "Challenge.startsAt": everybody,
    "Challenge.endsAt": everybody,
    "Challenge.state": everybody,
    "Earned.xp": everybody,  # of the call itself
    "Earned.level": only_owner,
    "Earned.leveledUp": everybody,
    "Earned.milestones": everybody,
    # --- Standings.
    "LeaderboardConnection.edges": whoever_gets_there,
    "LeaderboardConnection.pageInfo": everybody,
    "LeaderboardConnection.me": only_owner,
    "LeaderboardConnection.refreshedAt": everybody,
    "LeaderboardEdge.cursor": everybody,
    "LeaderboardEdge.node": whoever_gets_there,
    "LeaderboardEntry.rank": everybody,
    "LeaderboardEntry.profile": whoever_gets_there,
    "LeaderboardEntry.score": everybody,
    "LeaderboardEntry.me": everybody,
    "Rival.profile": only_owner,
    "Rival.myScore": only_owner,
    "Rival.theirScore": only_owner,
    "Rival.since": only_owner,
    # --- Credits.
    "CreditBalance.credits": only_owner,
    "CreditBalance.version": only_owner,
    "LedgerConnection.edges": only_owner,
    "LedgerConnection.pageInfo": only_owner,
    "LedgerEdge.cursor": only_owner,
    "LedgerEdge.node": only_owner,
    "LedgerEntry.id": only_owner,
    "LedgerEntry.amount": only_owner,
    "LedgerEntry.balanceAfter": only_owner,
    "LedgerEntry.reason": only_owner,
    "LedgerEntry.workoutId": only_owner,
    "LedgerEntry.createdAt": only_owner,
    "Entitlements.unlimited": only_owner,
    "Entitlements.reason": only_owner,
    "Entitlements.trialEndsAt": only_owner,
    "Entitlements.subscribedUntil": only_owner,
    "Entitlements.credits": only_owner,
    # --- Workouts.
    "LogWorkoutPayload.workout": only_owner,
    "LogWorkoutPayload.charged": only_owner,
    "LogWorkoutPayload.existing": only_owner,
    "LogWorkoutPayload.balance": only_owner,
    "LogWorkoutPayload.earned": only_owner,
    "SyncWorkoutResult.idempotencyKey": everybody,  # of the request
    "SyncWorkoutResult.status": everybody,
    "SyncWorkoutResult.workout": only_owner,
    "SyncWorkoutResult.charged": only_owner,
    "SyncWorkoutResult.error": everybody,
    "SyncError.code": everybody,
    "SyncError.message": everybody,
    "SyncError.statusCode": everybody,
    "Workout.id": only_owner,
    "Workout.performedAt": only_owner,
    "Workout.note": only_owner,
    "Workout.totalTu": only_owner,
    "Workout.muscles": only_owner,
    "Workout.exercises": only_owner,
    "MuscleActivation.muscle": everybody,
    "MuscleActivation.trainingUnits": only_owner,
    "WorkoutExercise.exercise": everybody,
    "WorkoutExercise.sets": only_owner,
    "WorkoutSet.reps": only_owner,
    "WorkoutSet.weightKg": only_owner,
    "WorkoutConnection.edges": only_owner,
    "WorkoutConnection.pageInfo": only_owner,
    "WorkoutEdge.cursor": only_owner,
    "WorkoutEdge.node": only_owner,
    # --- Feeds. What is told of an event depends on the feed, whose root field says who reaches it.
    "FeedConnection.edges": whoever_gets_there,
    "FeedConnection.pageInfo": whoever_gets_there,
    "FeedConnection.position": whoever_gets_there,
    "FeedPosition.epoch": everybody,
    "FeedPosition.offset": whoever_gets_there,
    "FeedEdge.cursor": whoever_gets_there,
    "FeedEdge.node": whoever_gets_there,
    "FeedEvent.id": whoever_gets_there,
    "FeedEvent.type": whoever_gets_there,
    "FeedEvent.createdAt": whoever_gets_there,
    "FeedEvent.actor": followers,
    "FeedEvent.data": whoever_gets_there,
    "FeedEvent.cursor": whoever_gets_there,
    "FeedEvent.highFives": whoever_gets_there,
    "FeedEvent.highFived": everybody,  # by the viewer
    "HighFivePayload.eventId": everybody,  # of the request
    "HighFivePayload.highFives": everybody,
    "HighFivePayload.existing": everybody,
    "Actor.id": followers,
    "Actor.name": followers,
    # --- Counts and places of no person.
    "PresenceStats.online": everybody,
    "PresenceStats.training": everybody,
    "PresenceMap.resolution": everybody,
    "PresenceMap.online": everybody,
    "PresenceMap.cells": everybody,
    "Cell.cell": everybody,
    "Cell.count": everybody,
    "NowBucket.minute": everybody,
    "NowBucket.training": everybody,
    "NowBucket.exercises": everybody,
    "NowExercise.slug": everybody,
    "NowExercise.name": everybody,
    "NowExercise.count": everybody,
    # --- Reference data, and whose it is.
    "Archetype.id": whoever_gets_there,
    "Archetype.slug": whoever_gets_there,
    "Archetype.name": whoever_gets_there,
    "Archetype.description": whoever_gets_there,
    "Archetype.muscles": everybody,
    "Achievement.id": whoever_gets_there,
    "Achievement.slug": whoever_gets_there,
    "Achievement.name": whoever_gets_there,
    "Achievement.description": whoever_gets_there,
    "Achievement.metric": whoever_gets_there,
    "Achievement.threshold": whoever_gets_there,
    "Flag.key": everybody,
    "Flag.enabled": everybody,
    "Exercise.id": everybody,
    "Exercise.slug": everybody,
    "Exercise.name": everybody,
    "Exercise.equipment": everybody,
    "Exercise.muscles": everybody,
    "ExerciseMuscle.muscle": everybody,
    "ExerciseMuscle.activation": everybody,
    "Muscle.id": everybody,
    "Muscle.slug": everybody,
    "Muscle.name": everybody,
    "Muscle.biasWeight": everybody,
    "Equipment.id": everybody,
    "Equipment.slug": everybody,
    "Equipment.name": everybody,
    # --- Pages.
    "PageInfo.endCursor": whoever_gets_there,
    "PageInfo.hasNextPage": everybody,
}

# Root fields that tell of her to others alone: whom they name her to.
NAMED: Final[Mapping[str, Rule]] = {"Query.followingFeed": lambda *who: who[0] != "owner" and followers(*who)}

# Root fields whose answers never name her, to herself neither.
NAMELESS: Final = frozenset({"Query.communityFeed"})
