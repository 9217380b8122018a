"""One vocabulary of countries: what feeds call them, their name here, and their ISO 3166-1 alpha-2 code.

Names and codes stand for each other one to one. Regions that feeds name but ISO does not have codes from the range that
ISO leaves to its users (XA to XZ, ZZ).
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.declare.conform import text

UNKNOWN_CODE = "ZZ"
UNKNOWN_NAME = "Unspecified"

# Countries that shops sell to most stand first: a map is searched from its start.
_LISTED = """
GB United Kingdom;DE Germany;FR France;IE Ireland;NL Netherlands;ES Spain;IT Italy;AT Austria;BE Belgium
CH Switzerland;PT Portugal;AU Australia;NO Norway;SE Sweden;DK Denmark;FI Finland;US United States;PL Poland
XC Channel Islands;AD Andorra;AE United Arab Emirates;AF Afghanistan;AG Antigua and Barbuda;AI Anguilla;AL Albania
AM Armenia;AO Angola;AQ Antarctica;AR Argentina;AS American Samoa;AW Aruba;AX Aland Islands;AZ Azerbaijan
BA Bosnia and Herzegovina;BB Barbados;BD Bangladesh;BF Burkina Faso;BG Bulgaria;BH Bahrain;BI Burundi;BJ Benin
BL Saint Barthelemy;BM Bermuda;BN Brunei;BO Bolivia;BQ Caribbean Netherlands;BR Brazil;BS Bahamas;BT Bhutan
BV Bouvet Island;BW Botswana;BY Belarus;BZ Belize;CA Canada;CC Cocos Islands;CD DR Congo;CF Central African Republic
CG Congo;CI Ivory Coast;CK Cook Islands;CL Chile;CM Cameroon;CN China;CO Colombia;CR Costa Rica;CU Cuba;CV Cape Verde
CW Curacao;CX Christmas Island;CY Cyprus;CZ Czechia;DJ Djibouti;DM Dominica;DO Dominican Republic;DZ Algeria
EC Ecuador;EE Estonia;EG Egypt;EH Western Sahara;ER Eritrea;ET Ethiopia;EU European Union;FJ Fiji;FK Falkland Islands
FM Micronesia;FO Faroe Islands;GA Gabon;GD Grenada;GE Georgia;GF French Guiana;GG Guernsey;GH Ghana;GI Gibraltar
GL Greenland;GM Gambia;GN Guinea;GP Guadeloupe;GQ Equatorial Guinea;GR Greece;GS South Georgia;GT Guatemala;GU Guam
GW Guinea-Bissau;GY Guyana;HK Hong Kong;HM Heard Island;HN Honduras;HR Croatia;HT Haiti;HU Hungary;ID Indonesia
IL Israel;IM Isle of Man;IN India;IO British Indian Ocean Territory;IQ Iraq;IR Iran;IS Iceland;JE Jersey;JM Jamaica
JO Jordan;JP Japan;KE Kenya;KG Kyrgyzstan;KH Cambodia;KI Kiribati;KM Comoros;KN Saint Kitts and Nevis;KP North Korea
KR South Korea;KW Kuwait;KY Cayman Islands;KZ Kazakhstan;LA Laos;LB Lebanon;LC Saint Lucia;LI Liechtenstein
LK Sri Lanka;LR Liberia;LS Lesotho;LT Lithuania;LU Luxembourg;LV Latvia;LY Libya;MA Morocco;MC Monaco;MD Moldova
ME Montenegro;MF Saint Martin;MG Madagascar;MH Marshall Islands;MK North Macedonia;ML Mali;MM Myanmar;MN Mongolia
MO Macao;MP Northern Mariana Islands;MQ Martinique;MR Mauritania;MS Montserrat;MT Malta;MU Mauritius;MV Maldives
MW Malawi;MX Mexico;MY Malaysia;MZ Mozambique;NA Namibia;NC New Caledonia;NE Niger;NF Norfolk Island;NG Nigeria
NI Nicaragua;NP Nepal;NR Nauru;NU Niue;NZ New Zealand;OM Oman;PA Panama;PE Peru;PF French Polynesia
PG Papua New Guinea;PH Philippines;PK Pakistan;PM Saint Pierre and Miquelon;PN Pitcairn;PR Puerto Rico;PS Palestine
PW Palau;PY Paraguay;QA Qatar;RE Reunion;RO Romania;RS Serbia;RU Russia;RW Rwanda;SA Saudi Arabia;SB Solomon Islands
SC Seychelles;SD Sudan;SG Singapore;SH Saint Helena;SI Slovenia;SJ Svalbard and Jan Mayen;SK Slovakia;SL Sierra Leone
SM San Marino;SN Senegal;SO Somalia;SR Suriname;SS South Sudan;ST Sao Tome and Principe;SV El Salvador;SX Sint Maarten
SY Syria;SZ Eswatini;TC Turks and Caicos Islands;TD Chad;TF French Southern Territories;TG Togo;TH Thailand
TJ Tajikistan;TK Tokelau;TL Timor-Leste;TM Turkmenistan;TN Tunisia;TO Tonga;TR Turkey;TT Trinidad and Tobago;TV Tuvalu
TW Taiwan;TZ Tanzania;UA Ukraine;UG Uganda;UM United States Minor Outlying Islands;UY Uruguay;UZ Uzbekistan
VA Vatican City;VC Saint Vincent and the Grenadines;VE Venezuela;VG British Virgin Islands;VI US Virgin Islands
VN Vietnam;VU Vanuatu;WF Wallis and Futuna;WS Samoa;XW West Indies;YE Yemen;YT Mayotte;ZA South Africa;ZM Zambia
ZW Zimbabwe;ZZ Unspecified
"""

ALIASES = {
    "EIRE": "IE",
    "UK": "GB",
    "GREAT BRITAIN": "GB",
    "ENGLAND": "GB",
    "USA": "US",
    "UNITED STATES OF AMERICA": "US",
    "RSA": "ZA",
    "KOREA": "KR",
    "CZECH REPUBLIC": "CZ",
    "EUROPEAN COMMUNITY": "EU",
    "HOLLAND": "NL",
    "THE NETHERLANDS": "NL",
    "TURKIYE": "TR",
    "MACAU": "MO",
    "RUSSIAN FEDERATION": "RU",
    "UAE": "AE",
    "VIET NAM": "VN",
    "UNKNOWN": UNKNOWN_CODE,
}
"""Other names of a country, in capitals."""

NAMES = {entry[:2]: entry[3:] for entry in _LISTED.strip().replace("\n", ";").split(";")}
"""Code -> name."""

_CODES = {
    spelling: code
    for code, name in NAMES.items()
    for spelling in (code, name.upper(), *(alias for alias, known in ALIASES.items() if known == code))
}
_NAMES = {alias: NAMES[code] for alias, code in _CODES.items()}


def code(delivered: Column) -> Column:
    """ISO code of a country given by name, alias or code; ZZ for what is missing or not in the vocabulary."""
    return F.coalesce(_found(_CODES, delivered), F.lit(UNKNOWN_CODE))


def name(delivered: Column) -> Column:
    """Name of the country in the vocabulary. A text that is not in it stays as it is, so that people can see it."""
    return F.coalesce(_found(_NAMES, delivered), text(delivered), F.lit(UNKNOWN_NAME))


def _found(pairs: dict[str, str], delivered: Column) -> Column:
    listed = ";".join(f"{known}={value}" for known, value in pairs.items())
    return F.try_element_at(F.str_to_map(F.lit(listed), F.lit(";"), F.lit("=")), F.upper(F.trim(delivered)))
