"""The vocabulary of the made-up shop: names, places, products and review sentences."""

FIRST_NAMES = [
    "Anna",
    "Lukas",
    "Marie",
    "Paul",
    "Sophie",
    "Jan",
    "Emma",
    "Leon",
    "Laura",
    "Felix",
    "Clara",
    "Hugo",
    "Lea",
    "Louis",
    "Eva",
    "Daan",
    "Lucia",
    "Marco",
    "Giulia",
    "Pablo",
    "Carmen",
    "Matteo",
    "Ines",
    "Noah",
    "Zoe",
    "Sven",
    "Katja",
    "Zoé",
    "Jürgen",
    "Renée",
]
LAST_NAMES = [
    "Müller",
    "Schmidt",
    "Weber",
    "Wagner",
    "Becker",
    "Dubois",
    "Laurent",
    "Moreau",
    "Bernard",
    "Jansen",
    "Bakker",
    "Visser",
    "García",
    "López",
    "Martín",
    "Rossi",
    "Russo",
    "Ferrari",
    "Gruber",
    "Huber",
    "Steiner",
    "Hofer",
    "Fischer",
    "Roux",
    "Lefèvre",
    "Meyer",
    "Klein",
    "Vogel",
    "Conti",
    "Ortega",
]
STREETS = [
    "Hauptstrasse",
    "Gartenweg",
    "Bahnhofstrasse",
    "Lindenallee",
    "Schulgasse",
    "Marktplatz",
    "Bergweg",
    "Mühlenweg",
    "Ringstrasse",
    "Parkweg",
]
CITIES = (
    (("Berlin", "10115"), ("Hamburg", "20095"), ("Köln", "50667"), ("Leipzig", "04109")),
    (("Paris", "75001"), ("Lyon", "69001"), ("Lille", "59000"), ("Nantes", "44000")),
    (("Amsterdam", "1012 AB"), ("Utrecht", "3511 CE"), ("Eindhoven", "5611 AZ"), ("Groningen", "9711 LM")),
    (("Madrid", "28001"), ("Valencia", "46001"), ("Sevilla", "41001"), ("Bilbao", "48001")),
    (("Roma", "00118"), ("Milano", "20121"), ("Torino", "10121"), ("Napoli", "80121")),
    (("Wien", "1010"), ("Graz", "8010"), ("Linz", "4020"), ("Salzburg", "5020")),
)
"""Four cities with a postcode for each country, in the order of `COUNTRIES`."""
DIAL_CODES = ("+49", "+33", "+31", "+34", "+39", "+43")
ACQUISITION = ("organic", "paid_search", "social", "display", "affiliate", "referral")

SUBCATEGORIES = (
    ("dress", "shirt", "jacket", "jeans", "sweater"),
    ("sneaker", "boot", "sandal", "loafer"),
    ("lamp", "blanket", "vase", "chair", "pan"),
    ("headphones", "charger", "speaker", "keyboard", "camera"),
    ("yoga mat", "dumbbell", "tent", "backpack", "bottle"),
    ("cream", "shampoo", "perfume", "brush"),
)
BRANDS = ("Nordlicht", "Alba", "Fjella", "Kornblume", "Tessara", "Rivo", "Oskarson", "Minta", "Velour", "Quarz")
COLORS = ("black", "white", "navy", "red", "olive", "sand", "grey", "teal")
MATERIALS = (
    ("cotton", "linen", "wool", "polyester"),
    ("leather", "suede", "canvas", "mesh"),
    ("oak", "steel", "ceramic", "glass"),
    ("aluminium", "plastic", "recycled plastic"),
    ("nylon", "steel", "natural rubber"),
    ("aloe", "argan oil", "bamboo"),
)
USES = ("everyday use", "long trips", "cold evenings", "small flats", "gifts", "busy weeks")

SENTENCES: dict[tuple[str, str], tuple[str, ...]] = {
    ("delivery", "negative"): (
        "The parcel arrived days later than promised.",
        "Delivery took forever and the tracking never moved.",
        "The courier left it in the rain, far too late.",
    ),
    ("delivery", "neutral"): ("Delivery was neither quick nor slow.", "The parcel came within the usual time."),
    ("delivery", "positive"): (
        "Delivery was lightning fast.",
        "It arrived a day early and well packed.",
        "Shipping was quick and the driver was friendly.",
    ),
    ("quality", "negative"): (
        "It broke after the second use.",
        "The material feels cheap and the finish is poor.",
        "The seams came apart within a week.",
    ),
    ("quality", "neutral"): ("The quality is average.", "The make is acceptable, nothing more."),
    ("quality", "positive"): (
        "The quality is excellent.",
        "Beautifully made and very sturdy.",
        "Great material, it feels like it will last for years.",
    ),
    ("fit", "negative"): (
        "Far too small, the size chart is wrong.",
        "It fits badly and pinches everywhere.",
        "Two sizes too big, I had to send it back.",
    ),
    ("fit", "neutral"): ("The fit is okay, a little wide.", "The size is roughly as stated."),
    ("fit", "positive"): ("It fits perfectly.", "True to size and very comfortable.", "The size is spot on."),
    ("price", "negative"): (
        "Overpriced for what you get.",
        "Far too expensive, I saw it cheaper elsewhere.",
        "Not worth the money at all.",
    ),
    ("price", "neutral"): ("The price is what others ask too.", "It costs about what I expected."),
    ("price", "positive"): ("Great value for money.", "A real bargain at this price.", "Worth every cent."),
    ("service", "negative"): (
        "Customer service never answered my mails.",
        "The hotline was rude and no help.",
        "Nobody cared about my complaint.",
    ),
    ("service", "neutral"): ("Customer service answered after a few days.", "The support was all right."),
    ("service", "positive"): (
        "Customer service was friendly and solved it at once.",
        "Wonderful support, they replied within minutes.",
        "Very helpful staff.",
    ),
}
"""What a review says, by topic and sentiment."""
OPENINGS = ("", "I ordered this for my sister. ", "Second purchase here. ", "Bought it last month. ", "Short version: ")
CLOSINGS = {
    "negative": ("", " I would not buy it again.", " Very disappointed.", " Never again!"),
    "neutral": ("", " All in all okay.", " Nothing special."),
    "positive": ("", " I would buy it again.", " Highly recommended!", " Love it."),
}
TITLES = {
    "negative": ("Disappointed", "Not good", "Never again"),
    "neutral": ("Okay", "So-so", "Average"),
    "positive": ("Great", "Very happy", "Love it"),
}
