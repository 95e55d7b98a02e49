"""What the name of a column says: its words, what they mean in several languages, and how alike two names are."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher
from functools import lru_cache

from tieout.engine.parse import CURRENCY_CODES

_MEANINGS = {
    "amount": "amount amt sum total value betrag wert summe umsatz importe monto valor valeur montant somme importo "
    "kwota bedrag belopp belob beloep totaal gesamt gesamtbetrag price preis prix precio prezzo volume",
    "gross": "gross brutto brut bruto lordo",
    "net": "net netto neto nett",
    "fee": "fee fees commission commissions provision gebuhr gebuhren gebuehr gebuehren comision frais commissie "
    "entgelt kommission commissione oplata costs kosten",
    "tax": "tax taxes vat mwst ust steuer iva tva impuesto btw gst taxe imposta",
    "debit": "debit debits soll debe cargo cargos withdrawal withdrawals withdrawn paidout out abgang belastung egreso "
    "egresos debito uitgaven af dr outflow auszahlungen",
    "credit": "credit credits haben abono abonos haber deposit deposits deposited paidin in zugang gutschrift ingreso "
    "ingresos credito bij cr inflow einzahlungen",
    "currency": "currency currencies ccy curr wahrung waehrung devise divisa moneda whg moneta munteenheit valutakod "
    "currencycode",
    "date": "date dates datum fecha data jour day tag dia dato giorno dag timestamp ts datetime time zeitpunkt valuta "
    "wertstellung buchungstag",
    "year": "year jahr jahrgang baujahr annee ano anno jaar",
    "age": "age alter edad eta leeftijd",
    "month": "month months period periods monat periode mois mes mese maand",
    "booked": "posted posting booking booked buchung buchungs boekdatum contable operation operazione operacion "
    "comptable bokforing",
    "created": "created creation erstellt",
    "due": "due falligkeit faellig vencimiento echeance scadenza",
    "birth": "birth births dob born birthday geburt geburts geburtstag geboren naissance nacimiento nascita geboorte "
    "fodelse syntymaaika nascimento",
    "id": "id ids identifier number no nr num nummer numero key kennung code uid uuid guid",
    "reference": "reference references ref refs referenz referencia referenza referentie refno",
    "invoice": "invoice invoices rechnung rechnungs factura facture fattura inv bill beleg belegs faktura",
    "order": "order orders bestellung bestell auftrag auftrags pedido commande ordine bestelling",
    "transaction": "transaction transactions trx txn tx trans transaktion transaktions transaccion transazione "
    "movimiento transactie psp",
    "payment": "payment payments zahlung zahlungs pago paiement pagamento pmt betaling",
    "payout": "payout payouts auszahlung batch batches settlement settlements disbursement remesa lote",
    "customer": "customer customers kunde kunden client cliente klant debitor buyer acheteur comprador",
    "supplier": "supplier vendor lieferant lieferanten proveedor fournisseur kreditor seller merchant fornitore",
    "account": "account accounts konto konten cuenta compte acct acc rekening conto iban",
    "text": "description descriptions desc descriptor memo text narrative narration details detail comment comments "
    "note notes verwendungszweck zweck buchungstext beschreibung bezeichnung concepto descripcion libelle omschrijving "
    "causale descrizione particulars message info purpose subject remittance betreff glosa detalle title",
    "name": "name names payee payer counterparty beneficiary empfanger empfaenger auftraggeber begunstigter nombre nom "
    "nome naam partner zahlungsempfanger beguenstigter surname surnames forename forenames lastname firstname "
    "familyname givenname vorname nachname familienname prenom apellido apellidos cognome voornaam achternaam",
    "quantity": "quantity quantities qty count menge anzahl stuck stueck cantidad quantite quantita aantal "
    "pieces units",
    "rate": "rate rates kurs exchange fx conversion umrechnungskurs wechselkurs taux cours cambio kurse",
    "country": "country land pais pays paese region",
    "store": "store stores shop filiale laden tienda magasin branch location outlet terminal",
    "status": "status state zustand estado etat stato",
    "type": "type types art kind typ tipo category kategorie",
    "phone": "phone telephone telefon tel mobile fax",
    "postcode": "zip plz postal postcode",
    "card": "card karte kartennummer tarjeta carte pan",
    "product": "product sku ean isbn asin gtin upc article artikel item",
    "email": "email mail",
    "percent": "percent percentage pct prozent",
}
_MEANING_OF = {word: meaning for meaning, words in _MEANINGS.items() for word in words.split()}

# Words that are written together: German compounds, and English headers without a separator.
_ENDINGS = [
    "kennung",
    "nummer",
    "number",
    "datum",
    "betrag",
    "zweck",
    "text",
    "name",
    "namen",
    "tag",
    "konto",
    "kurs",
    "menge",
    "gebuhr",
    "wahrung",
    "code",
    "date",
    "amount",
    "currency",
    "account",
    "referenz",
    "reference",
    "status",
    "type",
    "title",
    "time",
    "nr",
    "id",
    "no",
]

_FILLERS = frozenset(
    [
        "of",
        "the",
        "de",
        "del",
        "la",
        "le",
        "el",
        "du",
        "des",
        "der",
        "die",
        "das",
        "von",
        "a",
        "an",
        "to",
        "for",
        "fur",
        "pro",
        "per",
    ]
)
_GENERAL = {"id": 0.3, "date": 0.6, "name": 0.6, "type": 0.6, "amount": 0.6, "text": 0.6}
"""Meanings that are weak beside the word that says what they are the id, the date or the amount of."""
_QUALIFIERS = {"booked": 0.4, "created": 0.5, "transaction": 0.6, "due": 0.8}

_kept = lru_cache(maxsize=1 << 16)
"""Names are asked about again for each pair of columns: of three hundred columns on each side ninety thousand times."""

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[a-z]+|[0-9]+|[^\W\d_a-z]+")


@_kept
def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a name in lower case and without accents: `InvoiceNo` and `invoice_no` are the same two."""
    spaced = _CAMEL.sub(" ", name)
    plain = "".join(c for c in unicodedata.normalize("NFKD", spaced) if not unicodedata.combining(c)).casefold()
    return tuple(part for word in _WORD.findall(plain) for part in _parts(word))


def _parts(word: str) -> tuple[str, ...]:
    if word in _MEANING_OF:
        return (word,)
    for ending in _ENDINGS:
        stem = word.removesuffix(ending)
        if stem != word and (stem in _MEANING_OF or (len(stem) >= 4 and len(ending) >= 4)):
            return (stem, ending)
    return (word,)


@_kept
def meanings_of(name: str) -> tuple[str, ...]:
    """Return what the words of a name mean; a word of no known meaning stands for itself."""
    words = [word for word in words_of(name) if word not in _FILLERS]
    if len(words) > 1 and words[-1] in ("at", "on"):
        words[-1] = "date"
    return tuple(_MEANING_OF.get(word, word.removesuffix("s") if len(word) > 3 else word) for word in words)


def says(name: str, *meanings: str) -> bool:
    """Say whether one of the words of a name has one of these meanings."""
    return any(meaning in meanings for meaning in meanings_of(name))


_LOADING = frozenset({"synced", "ingested", "loaded", "etl", "fivetran", "airbyte", "dbt", "dlt", "sdc", "rownum"})
_LOADING_IF_MARKED = frozenset({"batch", "file", "filename", "line", "load", "modified", "partition", "row", "updated"})


@_kept
def is_technical(name: str) -> bool:
    """Say whether a column tells about the loading of the row, not about what happened (such as _synced_at).

    An underscore in front alone says nothing: some programs set one before every name.
    """
    words = set(words_of(name))
    if words & _LOADING:
        return True
    return name.startswith("_") and bool(words & _LOADING_IF_MARKED)


@_kept
def normalised(name: str) -> str:
    """Return a name such that only spelling differs between two equal ones."""
    return " ".join(words_of(name))


def rarity(names: Iterable[str]) -> dict[str, float]:
    """Return the weight of each meaning: one that stands in every name of a file tells little."""
    counts = Counter(meaning for name in names for meaning in set(meanings_of(name)))
    return {meaning: 1.0 / count for meaning, count in counts.items()}


def likeness(ours: str, theirs: str, weights: Mapping[str, float]) -> float:
    """Return how alike two names are, 0 to 1: weighted shared meanings over all, near spellings counting in part."""
    if normalised(ours) == normalised(theirs) and normalised(ours):
        return 1.0
    left, right = _telling(ours), _telling(theirs)
    if not left or not right:
        return 0.0
    if left == right:
        return 0.95
    shared = left & right
    total = sum(_weight(meaning, weights) for meaning in left | right)
    score = sum(_weight(meaning, weights) for meaning in shared)
    for one in sorted(left - shared):
        best = max((_spelling(one, other) for other in sorted(right - shared)), default=0.0)
        if best >= 0.75:
            score += best * _weight(one, weights)
    return min(0.9, score / total) if total else 0.0


@_kept
def _telling(name: str) -> frozenset[str]:
    """Return the meanings of a name without a currency code beside others: `Betrag (EUR)` is an amount."""
    meanings = frozenset(meanings_of(name))
    return frozenset(meaning for meaning in meanings if meaning.upper() not in CURRENCY_CODES) or meanings


def _weight(meaning: str, weights: Mapping[str, float]) -> float:
    general = _GENERAL.get(meaning, _QUALIFIERS.get(meaning, 1.0))
    return general * (0.3 + 0.7 * weights.get(meaning, 1.0))


@_kept
def _spelling(one: str, other: str) -> float:
    if min(len(one), len(other)) >= 4 and (one.startswith(other) or other.startswith(one)):
        return 0.85
    return SequenceMatcher(None, one, other).ratio() if min(len(one), len(other)) >= 4 else 0.0
