"""Follow-ups on the sample documents: how often the right document is found first, and the fact among three passages.

The 24 were made up for this: a question, an answer, and a follow-up that leans on them, with the document and the words
that it asks for. Searched as it stands, joined with the question before it, and as the base model rewrites it.
"""

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from rag.embedder import Embedder
from rag.followups import Rewrite, Searched, leans, self_contained
from rag.index import Index
from rag.shares import share
from tests.bench.loading import log, make_base
from tests.conftest import REPO
from tuning.engine import Engine
from tuning.request import Request, Sampling

DOCUMENTS = REPO / "data" / "samples" / "documents"
FOLLOWUPS = (
    ("What does the Loamer measure?", "How wet the soil is.", "What does it cost?", "loamer.md", "39 euros"),
    ("What is the model code of the Loamer?", "OQ-12.", "How long does one reading take?", "loamer.md", "45 seconds"),
    ("How many times is the crank of the Loamer turned?", "10 times.", "And then?", "loamer.md", "straight into"),
    ("What is the Dewbell?", "A humidity meter.", "How high should I hang it?", "dewbell.md", "150 centimetres"),
    ("When does the Dewbell ring?", "Above 85 percent.", "How often?", "dewbell.md", "rings three times"),
    ("Which batteries does the Dewbell need?", "Two AA batteries.", "How long do they last?", "dewbell.md", "9 months"),
    ("What is the Frostwick?", "A frost alarm.", "At how many degrees does it sound?", "frostwick.md", "3 degrees"),
    ("What is the receiver of the Frostwick called?", "The Perch.", "How far away can it be?", "frostwick.md", "140"),
    ("What does the Frostwick cost?", "89 euros.", "How do I pair a new one?", "frostwick.md", "4 seconds"),
    ("What is First Greenhouse?", "A course for beginners.", "On which day is it?", "courses.md", "Tuesdays"),
    ("What does First Greenhouse cost?", "78 euros.", "How many evenings does it last?", "courses.md", "six evenings"),
    ("What is Soil by Hand?", "A course about soil.", "What do they build there?", "courses.md", "worm box"),
    ("How long can I return a product?", "45 days.", "When do they begin?", "returns.md", "parcel arrives"),
    ("Which form do I need to return a product?", "Form R7.", "What colour is it?", "returns.md", "yellow paper"),
    ("Can I return a dirty product?", "For a fee.", "How much is that?", "returns.md", "6 euros"),
    ("How long does the guarantee last?", "8 years.", "And for the cloth of the Sunpleat?", "guarantee.md", "2 years"),
    ("How do I register for the guarantee?", "Send the card.", "Does it need a stamp?", "guarantee.md", "no stamp"),
    ("What does standard delivery cost?", "5 euros.", "How long does it take?", "delivery.md", "3 working days"),
    ("Is there express delivery?", "Yes.", "What colour is the label on those parcels?", "delivery.md", "pink label"),
    ("Who delivers the Sunpleat?", "A van.", "On which days does it come?", "delivery.md", "only on Wednesdays"),
    ("Who founded Ollerquist?", "Maren Toluwick and Jory Fenskell.", "When was that?", "company.md", "2009"),
    ("What is the Sunpleat?", "A folding shade.", "Which colours is it sold in?", "sunpleat.md", "oat and sage"),
    ("When does the Sunpleat close?", "At 29 degrees.", "How much does it weigh?", "sunpleat.md", "7.8 kilograms"),
    ("When is the guided tour?", "On Saturdays.", "How much is a ticket for it?", "visiting.html", "8 euros"),
)


def measure(rounds: int) -> dict[str, Any]:
    """Shares of right documents and passages for each way, with 95 % intervals, and what each search was."""
    engine = Engine(make_base())

    def rewrite(messages: list[dict[str, str]]) -> str:
        *_, (answer,) = engine.stream([Request(messages, None, Sampling(max_tokens=48))])
        return answer.text

    with tempfile.TemporaryDirectory() as folder:
        index = Index(Path(folder), Embedder())
        index.add((file.name, file.read_bytes()) for file in sorted(DOCUMENTS.iterdir()))
        ways = {"alone": found(index, None, False), "joined": found(index, None), "rewritten": found(index, rewrite)}
    return {"leaning": sum(leans(row[2]) for row in FOLLOWUPS), "of": len(FOLLOWUPS), **ways}


def found(index: Index, rewrite: Rewrite | None, anew: bool = True) -> dict[str, Any]:
    """What one way of searching finds."""
    document = fact = 0
    ways: Counter[str] = Counter()
    for question, answer, followup, source, words in FOLLOWUPS:
        earlier = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        searched = self_contained(followup, earlier, rewrite) if anew else Searched(followup)
        hits = index.search(searched.text, 3)
        document += hits[0].document == source
        fact += any(words in " ".join(hit.text.split()) for hit in hits)
        ways[searched.how] += 1
        log(f"{searched.how}: {followup} -> {searched.text}")
    return {"document": share(document, len(FOLLOWUPS)), "fact": share(fact, len(FOLLOWUPS)), "how": dict(ways)}
