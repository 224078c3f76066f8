"""How Russian says numbers and money: gender, the three plurals, the teens."""

from __future__ import annotations

import pytest

from media.say import ru


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param(0, "0", id="нуль"),
        pytest.param(1, "1", id="один"),
        pytest.param(2, "2", id="два"),
        pytest.param(11, "11", id="одиннадцать"),
        pytest.param(20, "20", id="двадцать"),
        pytest.param(21, "20 1", id="двадцать один"),
        pytest.param(40, "40", id="сорок"),
        pytest.param(100, "100", id="сто"),
        pytest.param(115, "100 15", id="сто пятнадцать"),
        pytest.param(222, "200 20 2", id="двести двадцать два"),
        pytest.param(1000, "1-feminine thousand-one", id="одна тысяча"),
        pytest.param(2000, "2-feminine thousand-few", id="две тысячи"),
        pytest.param(5000, "5 thousand-many", id="пять тысяч"),
        pytest.param(11_000, "11 thousand-many", id="одиннадцать тысяч"),
        pytest.param(21_001, "20 1-feminine thousand-one 1", id="двадцать одна тысяча один"),
        pytest.param(342_512, "300 40 2-feminine thousand-few 500 12", id="триста сорок две тысячи пятьсот двенадцать"),
        pytest.param(1_000_000, "1 million-one", id="один миллион"),
        pytest.param(2_000_001, "2 million-few 1", id="два миллиона один"),
        pytest.param(100_000_000, "100 million-many", id="сто миллионов"),
        pytest.param(-7, "minus 7", id="минус семь"),
    ],
)
def test_number(value: int, said: str) -> None:
    assert " ".join(ru.number(value)) == said


@pytest.mark.parametrize(
    ("micros", "currency", "said"),
    [
        pytest.param(4_880_000, "USD", "4 dollar-few 80 8 cent-many", id="четыре доллара восемьдесят восемь центов"),
        pytest.param(1_010_000, "USD", "1 dollar-one 1 cent-one", id="один доллар один цент"),
        pytest.param(5_020_000, "AUD", "5 dollar-many 2 cent-few", id="пять долларов два цента"),
        pytest.param(1_010_000, "RUB", "1 rouble-one 1-feminine kopeck-one", id="один рубль одна копейка"),
        pytest.param(2_220_000, "RUB", "2 rouble-few 20 2-feminine kopeck-few", id="два рубля двадцать две копейки"),
        pytest.param(11_140_000, "RUB", "11 rouble-many 14 kopeck-many", id="одиннадцать рублей четырнадцать копеек"),
        pytest.param(21_000_000, "RUB", "20 1 rouble-one", id="двадцать один рубль"),
        pytest.param(112_000_000, "RUB", "100 12 rouble-many", id="сто двенадцать рублей"),
        pytest.param(1_000_000_000, "RUB", "1-feminine thousand-one rouble-many", id="одна тысяча рублей"),
        pytest.param(3_500_000, "EUR", "3 euro 50 cent-many", id="евро не склоняется"),
        pytest.param(50_000, "GBP", "5 penny-many", id="пять пенсов"),
        pytest.param(22_010_000, "GBP", "20 2 pound-few 1 penny-one", id="двадцать два фунта один пенс"),
        pytest.param(0, "USD", "0 dollar-many", id="нуль долларов"),
        pytest.param(9_999, "RUB", "0 rouble-many", id="less than a kopeck is never rounded up"),
        pytest.param(-500_000, "RUB", "minus 50 kopeck-many", id="минус пятьдесят копеек"),
        pytest.param(4_050_000, "XYZ", "4 point 0 5", id="a currency without a name"),
        pytest.param(20_000_000, "XYZ", "20", id="and a whole amount of it"),
    ],
)
def test_money(micros: int, currency: str, said: str) -> None:
    assert " ".join(ru.money(micros, currency)) == said
