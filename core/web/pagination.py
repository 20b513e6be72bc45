from rest_framework import pagination


class PageNumberPagination(pagination.PageNumberPagination):
    """`?page=` and `?page_size=` up to 200; the answer says how many there are and where the next page is."""

    page_size_query_param = "page_size"
    max_page_size = 200
