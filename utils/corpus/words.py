"""The words of the built-in corpus: French forms with their English ones, by kind."""

from __future__ import annotations

from dataclasses import dataclass

VOWELS = "aàâeéèêiîoôuhy"  # the h of every noun here is mute


@dataclass(frozen=True)
class Noun:
    """A noun in both languages: singular and plural, and the French gender."""

    fr: str
    fr_plural: str
    en: str
    en_plural: str
    feminine: bool


@dataclass(frozen=True)
class Adjective:
    """An adjective: its French forms, the place it takes in French, and its one English form."""

    masculine: str
    feminine: str
    masculine_plural: str
    feminine_plural: str
    en: str
    before: bool
    before_vowel: str = ""  # the masculine form before a vowel, where it is another one


@dataclass(frozen=True)
class Verb:
    """A verb: French present (six persons), participle, future stem; English base, third person, past.

    `takes` says what follows it: things, people, places or one of the prepositions in `grammar`.
    """

    present: tuple[str, ...]
    participle: str
    future: str
    en: str
    en_third: str
    en_past: str
    takes: str
    with_etre: bool = False  # "est allé", where others have "a visité"


@dataclass(frozen=True)
class Place:
    """A place: its French article (empty for a city) and its name in both languages."""

    article: str  # la, le, les or ""
    fr: str
    en: str


@dataclass(frozen=True)
class Subject:
    """Who does it: the words, the person (1 to 6: je, tu, il, nous, vous, ils) and the French gender."""

    fr: str
    en: str
    person: int
    feminine: bool = False


@dataclass(frozen=True)
class Time:
    """When: the words, and the tenses they go with (p past, n present, f future)."""

    fr: str
    en: str
    tenses: str = "pnf"


def _nouns(lines: str) -> list[Noun]:
    """From lines of "la voiture car" or, with plurals that are not in -s, "le chapeau/chapeaux hat"."""
    nouns = []
    for line in lines.strip().splitlines():
        article, french, english = line.split()
        fr, fr_plural = (french.split("/") + [french + "s"])[:2]
        en, en_plural = (english.split("/") + [english + "s"])[:2]
        nouns.append(Noun(fr, fr_plural, en, en_plural, article == "la"))
    return nouns


def _er(stem: str, en: str, takes: str, en_past: str = "", en_third: str = "", with_etre: bool = False) -> Verb:
    """A regular verb in -er."""
    present = tuple(stem + end for end in ("e", "es", "e", "ons", "ez", "ent"))
    past = en_past or (en + "d" if en.endswith("e") else en + "ed")
    return Verb(present, stem + "é", stem + "er", en, en_third or en + "s", past, takes, with_etre)


def _verb(forms: str, participle: str, future: str, en: str, takes: str, with_etre: bool = False) -> Verb:
    """Any other verb, its forms in full; `en` is base, third person and past."""
    return Verb(tuple(forms.split()), participle, future, *en.split("/"), takes, with_etre)


THINGS = _nouns("""
la voiture car
la maison house
le livre book
la lettre letter
le vélo bike
la table table
la chaise chair
le jardin garden
le film film
la photo photo
la chanson song
la robe dress/dresses
le chapeau/chapeaux hat
le sac bag
la clé key
la pomme apple
le gâteau/gâteaux cake
la fleur flower
le chien dog
le chat cat
le cheval/chevaux horse
le bateau/bateaux boat
la lampe lamp
la montre watch/watches
le oiseau/oiseaux bird
la histoire story/stories
la image picture
le arbre tree
""")

PEOPLE = _nouns("""
le ami friend
la amie friend
le voisin neighbour
la voisine neighbour
le médecin doctor
le professeur teacher
le enfant child/children
le frère brother
la sœur sister
le cousin cousin
la cousine cousin
""")

ADJECTIVES = [
    Adjective("petit", "petite", "petits", "petites", "small", True),
    Adjective("grand", "grande", "grands", "grandes", "big", True),
    Adjective("nouveau", "nouvelle", "nouveaux", "nouvelles", "new", True, "nouvel"),
    Adjective("vieux", "vieille", "vieux", "vieilles", "old", True, "vieil"),
    Adjective("beau", "belle", "beaux", "belles", "beautiful", True, "bel"),
    Adjective("joli", "jolie", "jolis", "jolies", "pretty", True),
    Adjective("rouge", "rouge", "rouges", "rouges", "red", False),
    Adjective("bleu", "bleue", "bleus", "bleues", "blue", False),
    Adjective("vert", "verte", "verts", "vertes", "green", False),
    Adjective("blanc", "blanche", "blancs", "blanches", "white", False),
    Adjective("noir", "noire", "noirs", "noires", "black", False),
    Adjective("jaune", "jaune", "jaunes", "jaunes", "yellow", False),
    Adjective("cher", "chère", "chers", "chères", "expensive", False),
    Adjective("français", "française", "français", "françaises", "French", False),
]

VERBS = [
    _verb("achète achètes achète achetons achetez achètent", "acheté", "achèter", "buy/buys/bought", "things"),
    _er("aim", "love", "things"),
    _er("cherch", "look for", "things", "looked for", "looks for"),
    _er("trouv", "find", "things", "found"),
    _er("dessin", "draw", "things", "drew"),
    _er("regard", "look at", "things", "looked at", "looks at"),
    _er("oubli", "forget", "things", "forgot"),
    _er("gard", "keep", "things", "kept"),
    _er("montr", "show", "things", "showed"),
    _verb("vends vends vend vendons vendez vendent", "vendu", "vendr", "sell/sells/sold", "things"),
    _verb("perds perds perd perdons perdez perdent", "perdu", "perdr", "lose/loses/lost", "things"),
    _verb("vois vois voit voyons voyez voient", "vu", "verr", "see/sees/saw", "things"),
    _verb(
        "choisis choisis choisit choisissons choisissez choisissent", "choisi", "choisir", "choose/chooses/chose",
        "things",
    ),
    _er("invit", "invite", "people"),
    _er("aid", "help", "people"),
    _er("rencontr", "meet", "people", "met"),
    _er("écout", "listen to", "people", "listened to", "listens to"),
    _verb(
        "attends attends attend attendons attendez attendent", "attendu", "attendr", "wait for/waits for/waited for",
        "people",
    ),
    _er("parl", "talk to", "to people", "talked to", "talks to"),
    _er("visit", "visit", "places"),
    _er("quitt", "leave", "places", "left"),
    _verb("vais vas va allons allez vont", "allé", "ir", "go to/goes to/went to", "in places", True),
    _er("arriv", "arrive in", "in places", "arrived in", "arrives in", True),
    _er("rest", "stay in", "in places", "stayed in", "stays in", True),
    _er("habit", "live in", "in places", "lived in", "lives in"),
    _er("travaill", "work in", "in places", "worked in", "works in"),
    _verb("viens viens vient venons venez viennent", "venu", "viendr", "come from/comes from/came from", "from places", True),
]  # fmt: skip

PLACES = [
    *(Place("la", fr, en) for fr, en in [
        ("Afrique", "Africa"), ("France", "France"), ("Italie", "Italy"), ("Espagne", "Spain"), ("Allemagne", "Germany"),
        ("Chine", "China"), ("Inde", "India"), ("Grèce", "Greece"), ("Suisse", "Switzerland"), ("Norvège", "Norway"),
        ("Asie", "Asia"), ("Europe", "Europe"),
    ]),
    *(Place("le", fr, en) for fr, en in [
        ("Japon", "Japan"), ("Canada", "Canada"), ("Brésil", "Brazil"), ("Mexique", "Mexico"), ("Maroc", "Morocco"),
        ("Portugal", "Portugal"), ("Sénégal", "Senegal"), ("Danemark", "Denmark"),
    ]),
    Place("les", "États-Unis", "the United States"),
    Place("les", "Pays-Bas", "the Netherlands"),
    *(Place("", fr, en) for fr, en in [
        ("Paris", "Paris"), ("Londres", "London"), ("Rome", "Rome"), ("Berlin", "Berlin"), ("Lisbonne", "Lisbon"),
        ("Genève", "Geneva"), ("Montréal", "Montreal"), ("Dakar", "Dakar"),
    ]),
]  # fmt: skip

SUBJECTS = [
    *(Subject(name, name, 3, True) for name in ("Jane", "Marie", "Sophie", "Claire", "Lucie")),
    *(Subject(name, name, 3) for name in ("Paul", "Pierre", "Marc", "Hugo", "Karim")),
    Subject("je", "I", 1), Subject("tu", "you", 2), Subject("il", "he", 3), Subject("elle", "she", 3, True),
    Subject("nous", "we", 4), Subject("vous", "you", 5), Subject("ils", "they", 6), Subject("elles", "they", 6, True),
    Subject("mon frère", "my brother", 3), Subject("ma sœur", "my sister", 3, True),
    Subject("le professeur", "the teacher", 3), Subject("la voisine", "the neighbour", 3, True),
    Subject("les enfants", "the children", 6), Subject("mes parents", "my parents", 6),
    Subject("Jane et Marie", "Jane and Marie", 6, True), Subject("Paul et Sophie", "Paul and Sophie", 6),
]  # fmt: skip

_MONTHS = [
    ("janvier", "January"), ("février", "February"), ("mars", "March"), ("avril", "April"), ("mai", "May"),
    ("juin", "June"), ("juillet", "July"), ("août", "August"), ("septembre", "September"), ("octobre", "October"),
    ("novembre", "November"), ("décembre", "December"),
]  # fmt: skip

TIMES = [
    *(Time(f"en {fr}", f"in {en}") for fr, en in _MONTHS),
    Time("en été", "in summer"), Time("en automne", "in autumn"), Time("en hiver", "in winter"),
    Time("au printemps", "in spring"),
    Time("hier", "yesterday", "p"), Time("la semaine dernière", "last week", "p"),
    Time("le mois dernier", "last month", "p"), Time("l'année dernière", "last year", "p"),
    Time("demain", "tomorrow", "f"), Time("la semaine prochaine", "next week", "f"),
    Time("le mois prochain", "next month", "f"), Time("l'année prochaine", "next year", "f"),
    Time("chaque jour", "every day", "n"), Time("chaque semaine", "every week", "n"),
    Time("chaque année", "every year", "n"), Time("maintenant", "now", "n"),
]  # fmt: skip
