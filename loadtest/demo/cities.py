"""Where people live: name, latitude, longitude, millions of them (rounded), time zone."""

from typing import Final, NamedTuple


class City(NamedTuple):
    """A city and its surroundings."""

    name: str
    lat: float
    lng: float
    millions: float
    zone: str


CITIES: Final = (
    City("Tokyo", 35.68, 139.69, 37, "Asia/Tokyo"),
    City("Osaka", 34.69, 135.50, 19, "Asia/Tokyo"),
    City("Seoul", 37.57, 126.98, 25, "Asia/Seoul"),
    City("Shanghai", 31.23, 121.47, 28, "Asia/Shanghai"),
    City("Beijing", 39.90, 116.41, 21, "Asia/Shanghai"),
    City("Guangzhou", 23.13, 113.26, 19, "Asia/Shanghai"),
    City("Chengdu", 30.57, 104.07, 16, "Asia/Shanghai"),
    City("Hong Kong", 22.32, 114.17, 7, "Asia/Hong_Kong"),
    City("Taipei", 25.03, 121.57, 7, "Asia/Taipei"),
    City("Manila", 14.60, 120.98, 14, "Asia/Manila"),
    City("Jakarta", -6.21, 106.85, 33, "Asia/Jakarta"),
    City("Singapore", 1.35, 103.82, 6, "Asia/Singapore"),
    City("Bangkok", 13.76, 100.50, 15, "Asia/Bangkok"),
    City("Ho Chi Minh City", 10.82, 106.63, 14, "Asia/Ho_Chi_Minh"),
    City("Dhaka", 23.81, 90.41, 22, "Asia/Dhaka"),
    City("Kolkata", 22.57, 88.36, 15, "Asia/Kolkata"),
    City("Delhi", 28.61, 77.21, 32, "Asia/Kolkata"),
    City("Mumbai", 19.08, 72.88, 21, "Asia/Kolkata"),
    City("Bengaluru", 12.97, 77.59, 13, "Asia/Kolkata"),
    City("Karachi", 24.86, 67.01, 17, "Asia/Karachi"),
    City("Tashkent", 41.30, 69.24, 3, "Asia/Tashkent"),
    City("Dubai", 25.20, 55.27, 4, "Asia/Dubai"),
    City("Riyadh", 24.71, 46.68, 8, "Asia/Riyadh"),
    City("Istanbul", 41.01, 28.98, 16, "Europe/Istanbul"),
    City("Cairo", 30.04, 31.24, 22, "Africa/Cairo"),
    City("Addis Ababa", 9.01, 38.76, 5, "Africa/Addis_Ababa"),
    City("Nairobi", -1.29, 36.82, 5, "Africa/Nairobi"),
    City("Johannesburg", -26.20, 28.05, 10, "Africa/Johannesburg"),
    City("Cape Town", -33.92, 18.42, 5, "Africa/Johannesburg"),
    City("Luanda", -8.84, 13.23, 9, "Africa/Luanda"),
    City("Kinshasa", -4.44, 15.27, 16, "Africa/Kinshasa"),
    City("Lagos", 6.52, 3.38, 16, "Africa/Lagos"),
    City("Accra", 5.60, -0.19, 3, "Africa/Accra"),
    City("Casablanca", 33.57, -7.59, 4, "Africa/Casablanca"),
    City("Moscow", 55.76, 37.62, 17, "Europe/Moscow"),
    City("Kyiv", 50.45, 30.52, 3, "Europe/Kyiv"),
    City("Warsaw", 52.23, 21.01, 3, "Europe/Warsaw"),
    City("Stockholm", 59.33, 18.07, 2, "Europe/Stockholm"),
    City("Berlin", 52.52, 13.41, 5, "Europe/Berlin"),
    City("Vienna", 48.21, 16.37, 3, "Europe/Vienna"),
    City("Rome", 41.90, 12.50, 4, "Europe/Rome"),
    City("Milan", 45.46, 9.19, 5, "Europe/Rome"),
    City("Amsterdam", 52.37, 4.90, 3, "Europe/Amsterdam"),
    City("Paris", 48.86, 2.35, 11, "Europe/Paris"),
    City("Barcelona", 41.39, 2.17, 6, "Europe/Madrid"),
    City("Madrid", 40.42, -3.70, 7, "Europe/Madrid"),
    City("Lisbon", 38.72, -9.14, 3, "Europe/Lisbon"),
    City("London", 51.51, -0.13, 14, "Europe/London"),
    City("Dublin", 53.35, -6.26, 2, "Europe/Dublin"),
    City("Reykjavik", 64.15, -21.94, 0.3, "Atlantic/Reykjavik"),
    City("São Paulo", -23.55, -46.63, 22, "America/Sao_Paulo"),
    City("Rio de Janeiro", -22.91, -43.17, 13, "America/Sao_Paulo"),
    City("Buenos Aires", -34.60, -58.38, 15, "America/Argentina/Buenos_Aires"),
    City("Santiago", -33.45, -70.67, 7, "America/Santiago"),
    City("Lima", -12.05, -77.04, 11, "America/Lima"),
    City("Bogotá", 4.71, -74.07, 11, "America/Bogota"),
    City("Caracas", 10.48, -66.90, 3, "America/Caracas"),
    City("Mexico City", 19.43, -99.13, 22, "America/Mexico_City"),
    City("Miami", 25.76, -80.19, 6, "America/New_York"),
    City("New York", 40.71, -74.01, 20, "America/New_York"),
    City("Toronto", 43.65, -79.38, 6, "America/Toronto"),
    City("Chicago", 41.88, -87.63, 9, "America/Chicago"),
    City("Houston", 29.76, -95.37, 7, "America/Chicago"),
    City("Denver", 39.74, -104.99, 3, "America/Denver"),
    City("Los Angeles", 34.05, -118.24, 13, "America/Los_Angeles"),
    City("San Francisco", 37.77, -122.42, 5, "America/Los_Angeles"),
    City("Vancouver", 49.28, -123.12, 3, "America/Vancouver"),
    City("Honolulu", 21.31, -157.86, 1, "Pacific/Honolulu"),
    City("Auckland", -36.85, 174.76, 2, "Pacific/Auckland"),
    City("Sydney", -33.87, 151.21, 5, "Australia/Sydney"),
    City("Melbourne", -37.81, 144.96, 5, "Australia/Melbourne"),
    City("Perth", -31.95, 115.86, 2, "Australia/Perth"),
)
