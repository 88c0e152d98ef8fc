"""What the mails say."""

from api.accounts.mails import link_of, message_of

TOKEN = "t" * 43


def test_each_mail_has_its_link_and_no_word_of_a_stranger() -> None:
    for kind, end in (("join", f"/#verify={TOKEN}"), ("reset", f"/#reset={TOKEN}"), ("known", "/")):
        link = link_of(kind, "https://muscles.example", TOKEN)
        assert link == "https://muscles.example" + end
        mail = message_of(kind, "ada@example.com", "MuscleMap <no-reply@example.org>", link)
        assert f"\n{link}\n" in mail.get_content()
        assert (mail["To"], mail["From"]) == ("ada@example.com", "MuscleMap <no-reply@example.org>")
        assert mail["Subject"].startswith("MuscleMap: ")
        assert all(len(line) < 998 for line in mail.as_bytes().splitlines())  # RFC 5322, 2.1.1
