"""Makes detect.jsonl (own templates, hard negatives) and faker.jsonl (sentences and values of the public generator Faker).

    python3 -m venv v && v/bin/pip install faker==40.* && v/bin/python make.py

Each line: {"text": ..., "spans": [[kind, substring], ...]}. What is in it was made by chance and belongs to nobody.
"""
import json, random, string, sys

R = random.Random(20261122)
UP, LO, DG = string.ascii_uppercase, string.ascii_lowercase, string.digits
AN, URL, HEX = UP + LO + DG, UP + LO + DG + "_-", "0123456789abcdef"
pick = lambda of, n: "".join(R.choice(of) for _ in range(n))

def luhn(body):
    total = 0
    for i, d in enumerate(reversed(body)):
        v = int(d) * (2 if i % 2 == 0 else 1)
        total += v - 9 if v > 9 else v
    return body + str(-total % 10)

def card():
    prefix, length = R.choice([("4", 16), ("51", 16), ("54", 16), ("2221", 16), ("34", 15), ("37", 15), ("6011", 16),
                               ("65", 16), ("3530", 16), ("36", 14), ("62", 16), ("4", 13), ("4", 19)])
    n = luhn(prefix + pick(DG, length - len(prefix) - 1))
    style = R.choice(["bare", " ", "-"])
    if style == "bare" or length in (13, 19):
        return n
    if length == 15:
        return style.join([n[:4], n[4:10], n[10:]])
    if length == 14:
        return style.join([n[:4], n[4:10], n[10:]])
    return style.join(n[i:i + 4] for i in range(0, 16, 4))

def iban():
    country, bban = R.choice([("DE", pick(DG, 18)), ("GB", pick(UP, 4) + pick(DG, 14)), ("FR", pick(DG, 10) + pick(UP + DG, 11) + pick(DG, 2)),
                              ("NL", pick(UP, 4) + pick(DG, 10)), ("ES", pick(DG, 20)), ("PL", pick(DG, 24)), ("CH", pick(DG, 5) + pick(UP + DG, 12)),
                              ("IT", pick(UP, 1) + pick(DG, 10) + pick(UP + DG, 12))])
    n = "".join(str(int(c, 36)) for c in bban + country + "00")
    whole = country + f"{98 - int(n) % 97:02}" + bban
    return whole if R.random() < .5 else " ".join(whole[i:i + 4] for i in range(0, len(whole), 4))

NAMES = "ann bob chen dara emil fatima goran hana ivan juan kofi lena mia nils olga petra".split()
def email():
    local = R.choice([R.choice(NAMES), f"{R.choice(NAMES)}.{R.choice(NAMES)}", f"{R.choice(NAMES)}+{pick(LO, 4)}", f"{R.choice(NAMES)}{pick(DG, 2)}"])
    return f"{local}@{R.choice(['example', 'mail', 'firma', 'uni-ulm', 'sub.corp'])}.{R.choice(['com', 'de', 'org', 'co.uk', 'io', 'museum'])}"

def key():
    b64 = lambda n: pick(URL, n)
    return R.choice([
        lambda: "AKIA" + pick(UP + "234567", 16), lambda: "ASIA" + pick(UP + "234567", 16),
        lambda: R.choice(["ghp_", "gho_", "ghs_"]) + pick(AN, 36), lambda: "github_pat_" + pick(AN, 22) + "_" + pick(AN, 59),
        lambda: "glpat-" + pick(URL, 20), lambda: f"xoxb-{pick(DG, 12)}-{pick(DG, 12)}-{pick(AN, 24)}", lambda: "sk_live_" + pick(AN, 24),
        lambda: "AIza" + pick(URL, 35), lambda: "npm_" + pick(AN, 36), lambda: "hf_" + pick(AN, 34), lambda: "hvs." + pick(URL, 24),
        lambda: "sk-ant-api03-" + pick(URL, 93), lambda: f"SG.{pick(URL, 22)}.{pick(URL, 43)}",
        lambda: f"eyJhbGciOiJIUzI1NiJ9.eyJ{b64(40)}.{b64(43)}",
        lambda: "-----BEGIN RSA PRIVATE KEY-----\n" + "\n".join(pick(AN + "+/", 64) for _ in range(4)) + "\n-----END RSA PRIVATE KEY-----",
    ])()

def secret():
    return pick(AN, R.choice([24, 32, 40, 44]))

CARD = ["Card: {}", "paid with {} on Monday", '{{"pan": "{}"}}', "{} (exp 12/29, CVC 123)", "cc={};amount=12.00", "Karte {}, danke.", "カード番号 {} です", "| {} | Visa |"]
IBAN = ["IBAN {}", "please transfer to {}.", "Konto: {}, BIC COBADEFF", '{{"iban":"{}"}}', "{} / EUR 12,50"]
MAIL = ["write to {}", "<{}>", "mailto:{}", "From: Ann <{}>, To: all", '{{"email":"{}"}}', "{}, thanks.", "contact={}&x=1"]
KEY = ["export KEY={}", "key: {}", "Authorization: Bearer {}", "found `{}` in the log", '{{"value":"{}"}}', "the token is {}."]
SECRET = ["api_key = \"{}\"", "API_KEY={}", "client_secret: {}", "\"password\": \"{}\"", "aws_secret_access_key={}", "token => '{}'"]

def hard():
    d = lambda n: pick(DG, n)
    return R.choice([
        lambda: f"id {pick(HEX, 8)}-{pick(HEX, 4)}-4{pick(HEX, 3)}-a{pick(HEX, 3)}-{pick(HEX, 12)}",
        lambda: f"commit {pick(HEX, 40)}", lambda: f"sha256:{pick(HEX, 64)}", lambda: f"at {1700000000000 + int(d(10))} ms, {1700000000000000 + int(d(12))} us",
        lambda: f"2026-11-22T10:00:00.{d(9)}Z", lambda: f"call +49 170 {d(7)} or 0049-89-{d(8)}", lambda: f"ISBN 978-3-16-{d(6)}-{d(1)}",
        lambda: f"order {R.choice('123456789')}{d(15)}", lambda: f"tracking 1Z{pick(UP + DG, 16)}", lambda: f"pi is 3.{d(20)}", lambda: f"v{d(1)}.{d(2)}.{d(3)}",
        lambda: f"DE{d(20)} is not one", lambda: f"GB00{pick(UP, 4)}{d(14)}", lambda: "npm install @types/node @babel/core@7.2.1", lambda: f"git@github.com:{R.choice(NAMES)}/repo.git",
        lambda: "@app.route('/x')\ndef f(): pass", lambda: "img/logo@2x.png", lambda: "ghp_" + "x" * 36, lambda: "AKIAIOSFODNN7EXAMPLE", lambda: "sk-" + "0" * 48,
        lambda: "token: the_name_of_a_variable_that_is_long", lambda: "password: correct horse battery staple", lambda: "secret = os.environ['MY_SERVICE_SECRET_NAME']",
        lambda: "postgres://user:${DB_PASSWORD}@db/x", lambda: "https://example.com/a@b/c?d=e", lambda: "eyJ is how a JWT begins", lambda: "-----BEGIN PUBLIC KEY-----\n" + pick(AN, 64),
        lambda: "-----BEGIN PRIVATE KEY----- marks a key", lambda: f"row {d(4)} {d(4)} {d(4)} {d(4)} {d(4)} {d(4)} {d(4)}", lambda: f"{d(3)}.{d(3)}.{d(3)}.{d(3)}", lambda: f"data:image/png;base64,{pick(AN + '+/', 120)}",
        lambda: f"phone,{d(10)},{d(10)},{d(10)}", lambda: f"matrix {' '.join(d(2) for _ in range(20))}", lambda: f"account {d(10)} blz {d(8)}", lambda: f"lat 48.{d(14)} lon 11.{d(14)}",
        lambda: f"token: {pick(HEX, 8)}-{pick(HEX, 4)}-4{pick(HEX, 3)}-a{pick(HEX, 3)}-{pick(HEX, 12)}", lambda: f"next page token: {R.choice(NAMES)}", lambda: "a@b", lambda: f"tokenizer={R.choice(NAMES)}_v{d(1)}_base_uncased_model",
    ])()

def write(name, rows):
    with open(name, "w") as out:
        for text, spans in rows:
            out.write(json.dumps({"text": text, "spans": spans}, ensure_ascii=False) + "\n")

rows = []
for kind, make, forms in [("card", card, CARD), ("iban", iban, IBAN), ("email", email, MAIL), ("key", key, KEY), ("secret", secret, SECRET)]:
    for _ in range(120):
        value = make()
        rows.append((R.choice(forms).format(value), [[kind, value]]))
rows += [(hard(), []) for _ in range(900)]
R.shuffle(rows)
write("detect.jsonl", rows)

try:
    from faker import Faker
except ImportError:
    sys.exit("detect.jsonl is made; faker.jsonl needs the package faker")
rows = []
for locale in ["en_US", "de_DE", "fr_FR", "ja_JP", "es_ES"]:
    fake = Faker(locale)
    fake.seed_instance(7)
    for _ in range(40):
        value = fake.credit_card_number()
        rows.append((f"{fake.sentence()} {value} {fake.sentence()}", [["card", value]] if len(value) >= 13 else []))
        value = fake.iban()
        rows.append((f"{fake.sentence()} {value} {fake.sentence()}", [["iban", value]]))
        value = fake.email()
        rows.append((f"{fake.name()} <{value}> {fake.sentence()}", [["email", value]]))
        rows.append((f"{fake.name()}, {fake.address()}, {fake.phone_number()}, {fake.date()}", []))
        rows.append((f"{fake.uuid4()} {fake.md5()} {fake.ean13()} {fake.ipv6()} {fake.mac_address()} {fake.url()}", []))
        rows.append((" ".join(fake.sentences(3)), []))
write("faker.jsonl", rows)
