"""Work of one kind cannot stop work of another: each has threads or processes of its own, and a limit."""

from concurrent.futures import ThreadPoolExecutor

import requests

from tests.harness.html import find_csrf_token
from tests.harness.people import PASSWORD, NewPerson
from tests.harness.servers import NewServer
from tests.harness.waiting import scaled


def test_sign_ins_past_the_queue_are_asked_to_try_again(new_server: NewServer, new_person: NewPerson) -> None:
    server = new_server(CHATAPP_PASSWORD_THREADS="1", CHATAPP_MAX_QUEUED_CALLS="1").start()
    ana = new_person(server, "ana")

    def open_form() -> tuple[requests.Session, str]:
        session = requests.Session()
        return session, find_csrf_token(session.get(f"{server.url}/sign-in", timeout=scaled(30)).text)

    def submit(form: tuple[requests.Session, str]) -> requests.Response:
        fields = {"csrf_token": form[1], "username": ana.username, "password": PASSWORD}
        return form[0].post(f"{server.url}/sign-in", data=fields, allow_redirects=False, timeout=scaled(30))

    forms = [open_form() for _ in range(9)]
    with ThreadPoolExecutor(len(forms)) as threads:
        responses = list(threads.map(submit, forms))
    assert {response.status_code for response in responses} == {302, 503}
    refused = next(response for response in responses if response.status_code == 503)
    assert "The server is busy. Try again in a moment." in refused.text
    assert submit(open_form()).status_code == 302
